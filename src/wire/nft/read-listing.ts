/** What `nft --json list table` says, as a value. Source: libnftables-json(5). */

import { isVerdict } from '#wire/nft/print-expr.ts';
import type {
  Chain,
  Element,
  Expr,
  Hook,
  ListedChain,
  ListedRule,
  NftSet,
  TableListing,
  Verdict,
} from '#wire/nft/values.ts';

/** Undefined if no table is in it. @throws SyntaxError if it is not what nft writes. */
export function readListing(json: string): TableListing | undefined {
  const objects = list(record(parse(json), 'document').nftables, 'nftables').map((o) => record(o, 'object'));
  const all = (kind: string) => objects.flatMap((o) => (o[kind] === undefined ? [] : [record(o[kind], kind)]));
  const [table] = all('table');
  if (!table) return undefined;
  const rules = all('rule').map((rule) => ({ chain: text(rule.chain, 'chain'), rule: readRule(rule) }));
  return {
    ...optionalText('comment', table.comment),
    sets: [...all('set'), ...all('map')].map(readSet),
    chains: all('chain').map((chain) => readChain(chain, rules)),
  };
}

type Json = Readonly<Record<string, unknown>>;

function unreadable(what: string): SyntaxError {
  return new SyntaxError(`Cannot read nft's listing: ${what}`);
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new SyntaxError("Cannot read nft's listing: it is not JSON", { cause });
  }
}

function record(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadable(`${what} is no object`);
  return value as Json;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unreadable(`${what} is no list`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw unreadable(`${what} is no text`);
  return value;
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number') throw unreadable(`${what} is no number`);
  return value;
}

function optionalText<K extends string>(key: K, value: unknown): { [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: text(value, key) } as { [P in K]: string });
}

function optionalNumber<K extends string>(key: K, value: unknown): { [P in K]?: number } {
  return value === undefined ? {} : ({ [key]: number(value, key) } as { [P in K]: number });
}

function readChain(chain: Json, rules: readonly { chain: string; rule: ListedRule }[]): ListedChain {
  const name = text(chain.name, 'name of a chain');
  return {
    name,
    ...(chain.hook === undefined ? {} : { base: readHook(chain) }),
    rules: rules.filter((r) => r.chain === name).map((r) => r.rule),
  };
}

/** The words are nft's own; a new one of a newer nft is passed on as it is. */
function readHook(chain: Json): NonNullable<Chain['base']> {
  return {
    type: text(chain.type, 'type') as Hook['type'],
    hook: text(chain.hook, 'hook') as Hook['hook'],
    prio: number(chain.prio, 'prio'),
    ...(chain.policy === undefined ? {} : { policy: text(chain.policy, 'policy') as NonNullable<Hook['policy']> }),
    ...optionalText('dev', chain.dev),
  };
}

function readRule(rule: Json): ListedRule {
  return {
    handle: number(rule.handle, 'handle'),
    ...optionalText('comment', rule.comment),
    expr: list(rule.expr, 'expr') as ListedRule['expr'],
  };
}

function readSet(set: Json): TableListing['sets'][number] {
  const flags = set.flags === undefined ? [] : list(set.flags, 'flags').map((flag) => text(flag, 'flag'));
  const map = set.map === undefined ? undefined : text(set.map, 'map').split(' . ');
  return {
    name: text(set.name, 'name of a set'),
    type: typeof set.type === 'string' ? set.type.split(' . ') : list(set.type, 'type').map((t) => text(t, 'type')),
    ...(map ? { map } : {}),
    ...(flags.length > 0 ? { flags: flags as NonNullable<NftSet['flags']> } : {}),
    ...optionalNumber('timeout', set.timeout),
    ...optionalNumber('size', set.size),
    elements: set.elem === undefined ? [] : list(set.elem, 'elem').map(readElement),
  };
}

/** `KEY`, `[KEY, VALUE]`, and in the place of KEY `{elem: {val: KEY, …}}` where there is more to say of it. */
function readElement(json: unknown): Element {
  const [key, value] = Array.isArray(json) ? json : [json, undefined];
  const mapped = value === undefined ? {} : { value: readValue(value) };
  if (typeof key !== 'object' || key === null || !('elem' in key)) return { key: key as Expr, ...mapped };
  const elem = record(key.elem, 'elem');
  return {
    key: elem.val as Expr,
    ...mapped,
    ...optionalNumber('timeout', elem.timeout),
    ...optionalText('comment', elem.comment),
  };
}

function readValue(value: unknown): Expr | Verdict {
  return isVerdict(value) ? value : (value as Expr);
}
