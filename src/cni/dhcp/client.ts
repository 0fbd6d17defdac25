/** What a client asks of servers (RFC 2131 §4.4), a function a question. Nothing is kept here. */

import { setTimeout as pause } from 'node:timers/promises';
import { type DhcpLink, Talk } from '#cni/dhcp/talk.ts';
import { type Addr, addrBytes } from '#net/addr.ts';
import { addrOf } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { type Lease, readLease } from '#wire/dhcp/lease.ts';
import type { DhcpMessage } from '#wire/dhcp/message.ts';
import { MESSAGE_TYPE, type MessageType, messageType, OPTION, readAddrOption, readText } from '#wire/dhcp/options.ts';

/** What is the same in all of a client's messages. */
export interface DhcpIdentity {
  /** Option 61. */
  readonly clientId: Uint8Array;
  /** Options that the client tells, by code. */
  readonly provide: ReadonlyMap<number, Uint8Array>;
  /** Codes of the options that it asks for. */
  readonly request: readonly number[];
}

/** A lease, or that the server forbids the address. */
export type Outcome =
  | { readonly kind: 'lease'; readonly lease: Lease }
  | { readonly kind: 'refused'; readonly server: Addr | undefined; readonly why: string }
  | { readonly kind: 'silence' };

export interface AcquireOptions {
  /** The whole of it may take so long, milliseconds. */
  readonly timeoutMs: number;
  /** The address that the client had before. */
  readonly wish?: Addr;
  readonly signal?: AbortSignal;
}

/** Before the first repetition, milliseconds; doubled each time. RFC 2131 says 4 s, for the networks of 1997. */
const FIRST_REPEAT_MS = 1_000;
const LONGEST_REPEAT_MS = 16_000;
/** After a refusal, so that a server which offers what it then refuses is not asked without end. */
const AFTER_REFUSAL_MS = 500;
/** Ethernet's 1500 bytes, less the headers of IP and UDP. */
const LARGEST = Uint8Array.of(1472 >> 8, 1472 & 255);

/**
 * An address from whichever server answers first with a usable offer.
 * @throws PolderError dhcp-no-answer, dhcp-refused, dhcp-unusable when the time is over; SystemError without interface
 */
export async function acquire(link: DhcpLink, who: DhcpIdentity, options: AcquireOptions): Promise<Lease> {
  using talk = new Talk(link);
  const until = performance.now() + options.timeoutMs;
  const left = () => Math.max(0, until - performance.now());
  let trouble: PolderError | undefined;
  for (let wait = FIRST_REPEAT_MS; left() > 0 && !options.signal?.aborted; wait = next(wait)) {
    const heard = await discover(talk, who, options, Math.min(spread(wait), left()));
    if (heard instanceof PolderError) trouble = heard;
    if (!heard || heard instanceof PolderError) continue;
    const outcome = await select(talk, who, heard, left, options.signal);
    if (outcome.kind === 'lease') return outcome.lease;
    if (outcome.kind === 'refused') {
      trouble = refusal(link, outcome);
      await pause(Math.min(AFTER_REFUSAL_MS, left()));
    }
  }
  throw trouble ?? new PolderError('dhcp-no-answer', { ifname: link.ifname, seconds: options.timeoutMs / 1000 });
}

function next(wait: number): number {
  return Math.min(2 * wait, LONGEST_REPEAT_MS);
}

/** Many pods that began together are not to go on together (RFC 2131 §4.1). */
function spread(ms: number): number {
  return ms * (0.8 + 0.4 * Math.random());
}

/** DHCPDISCOVER; an offer that is none is told if nobody makes a better one. */
async function discover(talk: Talk, who: DhcpIdentity, { wish, signal }: AcquireOptions, ms: number) {
  const wished: [number, Uint8Array][] = wish ? [[OPTION['dhcp-requested-address'], addrBytes(wish)]] : [];
  if (!send(() => talk.shout(talk.message({ options: optionsOf('DISCOVER', who, wished) })))) {
    await pause(Math.min(ms, FIRST_REPEAT_MS));
    return undefined;
  }
  let unusable: PolderError | undefined;
  const offer = await talk.hear(
    (message) => {
      if (messageType(message) !== 'OFFER') return undefined;
      const lease = readLease(message);
      if (typeof lease === 'object') return lease;
      unusable = useless(message, lease);
      return undefined;
    },
    ms,
    signal,
  );
  return offer ?? unusable;
}

/** DHCPREQUEST for an offer. A lost answer is asked for again, three times in all. */
async function select(
  talk: Talk,
  who: DhcpIdentity,
  offer: Lease,
  left: () => number,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const options = optionsOf('REQUEST', who, [
    [OPTION['dhcp-requested-address'], addrBytes(addrOf(offer.address))],
    [OPTION['dhcp-server-identifier'], addrBytes(offer.server)],
  ]);
  for (let tries = 0, wait = FIRST_REPEAT_MS; tries < 3 && left() > 0; tries++, wait = next(wait)) {
    send(() => talk.shout(talk.message({ options })));
    const outcome = await talk.hear(verdict, Math.min(spread(wait), left()), signal);
    if (outcome) return outcome;
  }
  return { kind: 'silence' };
}

/** What is asked when the client has an address already. */
export interface Extension {
  readonly lease: Lease;
  /** From T1 on the server that gave it; from T2 on anyone (RFC 2131 §4.4.5). */
  readonly phase: 'renewing' | 'rebinding';
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** DHCPREQUEST for a lease that the client has; twice, if the first is lost. @throws SystemError without interface */
export async function extend(link: DhcpLink, who: DhcpIdentity, ask: Extension): Promise<Outcome> {
  using talk = new Talk(link);
  using stack = new DisposableStack();
  for (let tries = 0; tries < 2 && !ask.signal?.aborted; tries++) {
    const request = talk.message({ ciaddr: addrOf(ask.lease.address), options: optionsOf('REQUEST', who, []) });
    send(() => {
      if (ask.phase === 'rebinding') talk.shout(request);
      else stack.use(talk.tell(ask.lease.server, request));
    });
    const outcome = await talk.hear(verdict, ask.timeoutMs / 2, ask.signal);
    if (outcome) return outcome;
  }
  return { kind: 'silence' };
}

/** DHCPRELEASE: nobody answers (RFC 2131 §4.4.6). False if it could not be sent. */
export function release(link: DhcpLink, who: DhcpIdentity, lease: Lease): boolean {
  return send(() => {
    using talk = new Talk(link);
    talk.tell(lease.server, farewell(talk, who, lease))[Symbol.dispose]();
  });
}

/**
 * As `release`, of a lease whose address the interface never had: nothing can be sent from it to the server alone, nor be
 * kept until the server's hardware address is known. It goes to all; who is not named in it does not heed it.
 */
export function releaseUnused(link: DhcpLink, who: DhcpIdentity, lease: Lease): boolean {
  return send(() => {
    using talk = new Talk(link);
    talk.shout(farewell(talk, who, lease));
  });
}

function farewell(talk: Talk, { clientId }: DhcpIdentity, { address, server }: Lease): DhcpMessage {
  const options = new Map([
    [OPTION['dhcp-message-type'], Uint8Array.of(MESSAGE_TYPE.RELEASE)],
    [OPTION['dhcp-server-identifier'], addrBytes(server)],
    [OPTION['dhcp-client-identifier'], clientId],
  ]);
  return talk.message({ broadcast: false, ciaddr: addrOf(address), options });
}

function verdict(message: DhcpMessage): Outcome | undefined {
  const type = messageType(message);
  const server = readAddrOption(message.options.get(OPTION['dhcp-server-identifier']));
  if (type === 'NAK')
    return { kind: 'refused', server, why: readText(message.options.get(OPTION['dhcp-message'])) ?? '' };
  if (type !== 'ACK') return undefined;
  const lease = readLease(message);
  return typeof lease === 'object' ? { kind: 'lease', lease } : undefined;
}

export function refusal({ ifname }: DhcpLink, { server, why }: Extract<Outcome, { kind: 'refused' }>): PolderError {
  return new PolderError('dhcp-refused', { server: server ?? 'of the segment', ifname, why: why && ` ("${why}")` });
}

function useless({ options }: DhcpMessage, what: string): PolderError {
  const server = readAddrOption(options.get(OPTION['dhcp-server-identifier'])) ?? 'of the segment';
  return new PolderError('dhcp-unusable', { server, what });
}

function optionsOf(
  type: MessageType,
  { clientId, provide, request }: DhcpIdentity,
  own: readonly [number, Uint8Array][],
): Map<number, Uint8Array> {
  return new Map([
    [OPTION['dhcp-message-type'], Uint8Array.of(MESSAGE_TYPE[type])],
    [OPTION['dhcp-client-identifier'], clientId],
    ...own,
    [OPTION['dhcp-max-message-size'], LARGEST],
    ...(request.length > 0 ? [[OPTION['dhcp-parameter-request-list'], Uint8Array.from(request)] as const] : []),
    ...provide,
  ]);
}

/** What cannot be sent now (no carrier, no route, no neighbour) is as good as lost: it is sent again. */
function send(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof Error && 'syscall' in error && 'errno' in error) return false;
    throw error;
  }
}
