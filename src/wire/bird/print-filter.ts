/** Filters in BIRD's language. What a statement decides stands beside it as a comment. */

import { type Prefix, prefixFamily } from '#net/prefix.ts';
import type { Community, Condition, Filter, PrefixPattern, Statement } from '#wire/bird/filter.ts';
import { quoted, symbol, whole } from '#wire/bird/words.ts';

/** @throws RangeError if a name or number cannot be written. */
export function printFilter({ name, body }: Filter): string {
  const lines = body.flatMap(printStatement).map((line) => `  ${line}\n`);
  return `filter ${symbol(name)} {\n${lines.join('')}  reject;\n}\n`;
}

function printStatement(statement: Statement): string[] {
  const condition = statement.if === undefined ? '' : `if ${printCondition(statement.if)} then `;
  switch (statement.do) {
    case 'accept':
    case 'reject':
      return [`${condition}${statement.do}; # ${comment(statement.because)}`];
    case 'add-community':
      return [`${condition}${addCommunity(statement.community)};`];
    case 'tunnel':
      // In this order: the gateway is looked for on the interface, and on-link there.
      return [
        `${condition}{ ifname = ${quoted(statement.device)}; onlink = true; gw = bgp_next_hop; accept; } # by the tunnel`,
      ];
  }
}

function addCommunity(community: Community): string {
  const max = community.length === 2 ? 0xffff : 0xffff_ffff;
  const numbers = community.map((each) => whole(each, 0, max, 'a community’s number')).join(',');
  return `${community.length === 2 ? 'bgp_community' : 'bgp_large_community'}.add((${numbers}))`;
}

export function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'net':
      return printNets(condition.in);
    case 'source':
      return `source = RTS_${condition.is.toUpperCase()}`;
    case 'proto':
      return `proto = ${quoted(condition.is)}`;
    case 'ifname':
      return `ifname ~ ${quoted(condition.like)}`;
    case 'internal':
      return '(source = RTS_BGP && bgp_path.len = 0)';
    case 'next-hop':
      return printNextHop(condition.in);
    case 'unreachable':
      return 'dest = RTD_UNREACHABLE';
    case 'not':
      return `!(${printCondition(condition.of)})`;
    case 'all':
      return condition.of.length === 0 ? 'true' : `(${condition.of.map(printCondition).join(' && ')})`;
  }
}

/** A set holds one family; a route of another family is in none. */
function printNets(patterns: readonly PrefixPattern[]): string {
  if (patterns.length === 0) return 'false';
  const families = new Map([...Map.groupBy(patterns, ({ prefix }) => prefixFamily(prefix))].sort());
  const sets = [...families].map(([family, all]) => {
    const set = `net ~ [ ${all.map(printPattern).join(', ')} ]`;
    return families.size === 1 ? set : `(net.type = NET_IP${family} && ${set})`;
  });
  return sets.length === 1 ? (sets[0] ?? '') : `(${sets.join(' || ')})`;
}

function printPattern({ prefix, min, max }: PrefixPattern): string {
  const most = prefixFamily(prefix) === 4 ? 32 : 128;
  return `${prefix}{${whole(min, 0, most, 'a prefix length')},${whole(max, min, most, 'a prefix length')}}`;
}

function printNextHop(networks: readonly Prefix[]): string {
  return networks.length === 0 ? 'false' : `(${networks.map((each) => `bgp_next_hop ~ ${each}`).join(' || ')})`;
}

function comment(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
