/** `show protocols all`: rows (code 1002), each followed by its details (1006). */

import { type Addr, type Family, readAddr } from '#net/addr.ts';
import type { Reply, ReplyLine } from '#wire/bird/reply.ts';

export interface ProtocolState {
  readonly name: string;
  /** `BGP`, `Kernel`, `Static`, … */
  readonly kind: string;
  readonly state: string;
  /** When it came into this state, as `timeformat protocol` has it. */
  readonly since: string;
  /** What BIRD adds: of a session its state, and the last error. */
  readonly info: string;
  readonly description?: string;
  /** Present for BGP. */
  readonly bgp?: SessionState;
  readonly channels: readonly ChannelState[];
}

export interface SessionState {
  /** RFC 4271 §8.2.2, or BIRD's own: `Passive`, `Close`, `Down`. */
  readonly state: string;
  readonly neighbor?: Addr;
  readonly neighborAs?: number;
  readonly localAs?: number;
  readonly source?: Addr;
  /** `Socket: Connection refused`, `Received: Bad peer AS`. */
  readonly lastError?: string;
  /** `internal multihop AS4`. */
  readonly session?: string;
  /** The neighbour's BGP identifier (RFC 4271 §4.2). */
  readonly neighborId?: Addr;
  /** Families in which several ways to one network are announced: both sides have agreed to it (RFC 7911). */
  readonly addPathTx: readonly Family[];
}

export interface ChannelState {
  readonly family: Family;
  readonly state: string;
  readonly imported: number;
  readonly filtered: number;
  readonly exported: number;
  readonly preferred: number;
}

const ROW = 1002;
const DETAIL = 1006;

/** @throws SyntaxError if a row cannot be read. */
export function readProtocols(reply: Reply): ProtocolState[] {
  const found: { row: string; details: string[] }[] = [];
  for (const { code, text } of reply.lines.filter(isOurs)) {
    if (code === ROW) found.push({ row: text, details: [] });
    else found.at(-1)?.details.push(text);
  }
  return found.map(({ row, details }) => protocolFrom(row, details));
}

function isOurs({ code, text }: ReplyLine): boolean {
  return (code === ROW || code === DETAIL) && text.trim() !== '';
}

/** Name, kind, table, state, since (a date and a time), info. */
const COLUMNS = /^(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+(?: \d\S*)?)\s*(.*)$/;

function protocolFrom(row: string, details: readonly string[]): ProtocolState {
  const [, name, kind, , state, since, info] = COLUMNS.exec(row) ?? [];
  if (name === undefined || kind === undefined || state === undefined || since === undefined) {
    throw new SyntaxError(`Cannot read BIRD’s protocol "${row}"`);
  }
  const head = details.slice(0, details.findIndex(isChannelHead) >>> 0);
  const fields = fieldsOf(head);
  const description = fields.get('Description');
  return {
    name,
    kind,
    state,
    since,
    info: (info ?? '').trim().replace(/\s+/g, ' '),
    ...(description === undefined ? {} : { description }),
    ...(fields.has('BGP state') ? { bgp: sessionFrom(fields, addPathTx(head)) } : {}),
    channels: channelsFrom(details),
  };
}

/** `Key: value` of each line that is one; the first of a key counts. */
function fieldsOf(details: readonly string[]): ReadonlyMap<string, string> {
  const pairs = details.flatMap((line) => {
    const [, key, value] = /^\s*([^:]+):\s*(.*)$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key.trim(), value.trim()] as const];
  });
  return new Map(pairs.reverse());
}

function sessionFrom(fields: ReadonlyMap<string, string>, addPathTx: readonly Family[]): SessionState {
  const neighbor = readAddr(fields.get('Neighbor address')?.split('%')[0] ?? '');
  const source = readAddr(fields.get('Source address') ?? '');
  const neighborId = readAddr(fields.get('Neighbor ID') ?? '');
  const neighborAs = numberFrom(fields.get('Neighbor AS'));
  const localAs = numberFrom(fields.get('Local AS'));
  const lastError = fields.get('Last error');
  const session = fields.get('Session');
  return {
    state: fields.get('BGP state') ?? '',
    ...(neighbor === undefined ? {} : { neighbor }),
    ...(neighborAs === undefined ? {} : { neighborAs }),
    ...(localAs === undefined ? {} : { localAs }),
    ...(source === undefined ? {} : { source }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(session === undefined ? {} : { session }),
    ...(neighborId === undefined ? {} : { neighborId }),
    addPathTx,
  };
}

/** What we offer to send and the neighbour to receive. */
function addPathTx(head: readonly string[]): Family[] {
  const theirs = head.findIndex((line) => /^\s*Neighbor capabilities/.test(line));
  if (theirs === -1) return [];
  const families = (lines: readonly string[], way: 'RX' | 'TX'): Family[] => {
    const at = lines.findIndex((line) => /^\s*ADD-PATH/.test(line));
    const words = at === -1 ? undefined : lines.slice(at + 1, at + 3).find((line) => line.trim().startsWith(`${way}:`));
    return ([4, 6] as const).filter((family) => words?.includes(`ipv${family}`));
  };
  const receives = families(head.slice(theirs), 'RX');
  return families(head.slice(0, theirs), 'TX').filter((family) => receives.includes(family));
}

function numberFrom(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

const CHANNEL = /^\s*Channel ipv([46])\s*$/;

function isChannelHead(line: string): boolean {
  return CHANNEL.test(line);
}

function channelsFrom(details: readonly string[]): ChannelState[] {
  return details.flatMap((line, i) => {
    const family = CHANNEL.exec(line)?.[1];
    if (family === undefined) return [];
    const next = details.findIndex((each, j) => j > i && /^\s*Channel /.test(each));
    const fields = fieldsOf(details.slice(i + 1, next === -1 ? undefined : next));
    const count = countsFrom(fields.get('Routes') ?? '');
    return [{ family: family === '4' ? 4 : 6, state: fields.get('State') ?? '', ...count }];
  });
}

/** `2 imported, 1 filtered, 3 exported, 2 preferred` */
function countsFrom(text: string): Omit<ChannelState, 'family' | 'state'> {
  const count = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(text)?.[1] ?? 0);
  return {
    imported: count('imported'),
    filtered: count('filtered'),
    exported: count('exported'),
    preferred: count('preferred'),
  };
}
