/**
 * `conditionsV4` and `conditionsV6`: matches that are added to the rules. nft's words for addresses and interfaces are
 * taken, and iptables' for the same (`["!", "-d", "192.0.2.0/24"]`), since configurations have either.
 */

import type { Family } from '#net/addr.ts';
import { addrOf, lengthOf, type Prefix, prefixFamily, prefixOf } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { type JsonObject, optStrings } from '#wire/cni/json.ts';
import { badIfname } from '#wire/cni/names.ts';
import { readIfAddr } from '#wire/cni/result.ts';
import { match, meta, payload, prefixExpr } from '#wire/nft/build.ts';
import type { Statement } from '#wire/nft/values.ts';

export type Condition =
  | { readonly field: 'saddr' | 'daddr'; readonly not: boolean; readonly network: Prefix }
  | { readonly field: 'iifname'; readonly not: boolean; readonly ifname: string };

type Field = Condition['field'];

const IPTABLES = new Map<string, Field>([
  ['-s', 'saddr'],
  ['--source', 'saddr'],
  ['--src', 'saddr'],
  ['-d', 'daddr'],
  ['--destination', 'daddr'],
  ['--dst', 'daddr'],
  ['-i', 'iifname'],
  ['--in-interface', 'iifname'],
]);

/** @throws PolderError cni-config (CNI code 7) naming the word that is not taken. */
export function readConditions(raw: JsonObject, key: string, family: Family): Condition[] {
  const words = [...(optStrings(raw, key, '') ?? [])];
  const conditions: Condition[] = [];
  while (words.length > 0) conditions.push(...readOne(words, key, family));
  return conditions;
}

/** Takes the words of one condition off the front; none if every packet fulfils it. */
function readOne(words: string[], key: string, family: Family): Condition[] {
  const negated = taken(words, '!');
  const word = words.shift() ?? '';
  const ofIptables = IPTABLES.get(word);
  const field = ofIptables ?? nftField(word, words, family);
  if (!field) throw notTaken(key, word);
  const not = negated || taken(words, '!=') || taken(words, '!');
  if (!not) taken(words, '==');
  const value = words.shift();
  if (value === undefined) throw notTaken(key, word);
  if (field !== 'iifname') return [{ field, not, network: networkOf(value, key, family) }];
  if (ofIptables && value === ANY && !not) return [];
  const ifname = ifnameOf(value, key);
  return [{ field, not, ifname: ofIptables ? wildcard(ifname, key) : ifname }];
}

/** The sign of iptables for all names that begin so; alone, for every interface. */
const ANY = '+';

/** In the words of nft, which has none for every interface. */
function wildcard(ifname: string, key: string): string {
  if (ifname === ANY) throw notTaken(key, ifname);
  return ifname.endsWith(ANY) ? `${ifname.slice(0, -ANY.length)}*` : ifname;
}

function taken(words: string[], word: string): boolean {
  if (words[0] !== word) return false;
  words.shift();
  return true;
}

/** `ip saddr`, `ip6 daddr`, `iifname`, `meta iifname`. */
function nftField(word: string, words: string[], family: Family): Field | undefined {
  if (word === 'iifname') return 'iifname';
  const [next] = words;
  if (word === 'meta' && next === 'iifname') return taken(words, 'iifname') ? 'iifname' : undefined;
  if (word !== protocolOf(family) || (next !== 'saddr' && next !== 'daddr')) return undefined;
  words.shift();
  return next;
}

function notTaken(key: string, word: string): PolderError {
  const known = 'source and destination networks and incoming interfaces, in the words of nft or iptables';
  return new PolderError('cni-config', { what: `${key} may name ${known}; "${word}" is none of them` });
}

function networkOf(text: string, key: string, family: Family): Prefix {
  const address = readIfAddr(text, key);
  if (prefixFamily(address) !== family) throw notTaken(key, text);
  return prefixOf(addrOf(address), lengthOf(address));
}

function ifnameOf(text: string, key: string): string {
  const name = text.replace(/^"(.*)"$/, '$1');
  if (badIfname(name)) throw notTaken(key, text);
  return name;
}

export function protocolOf(family: Family): 'ip' | 'ip6' {
  return family === 4 ? 'ip' : 'ip6';
}

export function conditionStatement(condition: Condition, family: Family): Statement {
  const op = condition.not ? '!=' : '==';
  if (condition.field === 'iifname') return match(meta('iifname'), condition.ifname, op);
  return match(payload(protocolOf(family), condition.field), prefixExpr(condition.network), op);
}
