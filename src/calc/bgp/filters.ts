/** What is told to a peer, what is taken from it, and what of it goes into the kernel: as BIRD's filters. */

import type { BgpPool, BgpSession, BgpState } from '#calc/bgp/state.ts';
import type { Family } from '#net/addr.ts';
import { lengthOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { BgpFilter, BgpFilterRule } from '#spec/bgp.ts';
import { type Community, type Condition, exactly, type Filter, type Statement, within } from '#wire/bird/filter.ts';

/** Names of BIRD's protocols that bring this node's own routes. */
export function ownProtocol(family: Family): string {
  return `own${family}`;
}

/** Brings the ways to peers that a BGPPeer's `reachableBy` names. */
export function reachProtocol(family: Family): string {
  return `reach${family}`;
}

function net(...prefixes: readonly Prefix[]): Condition {
  return { kind: 'net', in: prefixes.map(within) };
}

const HEARD: Condition = { kind: 'source', is: 'bgp' };

/** What a peer is told. */
export function exportFilter(state: BgpState, session: BgpSession, family: Family): Filter {
  return named('out', family, [
    ...communities(state, family),
    ...session.filters.flatMap((name) => rules(state.filters, name, 'export', family)),
    ...poolsOf(state, family)
      .filter(({ exported }) => !exported)
      .map(({ name, cidr }) => reject(net(cidr), `IPPool ${name} has disableBGPExport`)),
    accept({ kind: 'proto', is: ownProtocol(family) }, 'this node’s own network'),
    ...poolsOf(state, family)
      .filter(({ exported }) => exported)
      .map(({ name, cidr }) => accept({ kind: 'all', of: [net(cidr), HEARD] }, `heard of inside IPPool ${name}`)),
    // Among them what devices have of the node's own blocks: the blocks say it.
    reject(undefined, 'it is not this node’s own, and was not heard of inside an IPPool'),
  ]);
}

/** What is taken from a peer, and by which device it then goes. */
export function importFilter(state: BgpState, session: BgpSession, family: Family): Filter {
  return named('in', family, [
    ...session.filters.flatMap((name) => rules(state.filters, name, 'import', family)),
    ...poolsOf(state, family).flatMap((pool) => tunnel(pool, state.subnets)),
    accept(undefined, 'whatever no BGPFilter rejects is taken'),
  ]);
}

/** What BIRD puts into the kernel. */
export function kernelFilter(state: BgpState, family: Family): Filter {
  const reach: Condition = { kind: 'proto', is: reachProtocol(family) };
  const not = (of: Condition): Condition => ({ kind: 'not', of });
  return {
    name: `kernel_out${family}`,
    body: [
      reject({ kind: 'all', of: [not(HEARD), not(reach)] }, 'not heard by BGP: it is in the kernel already'),
      ...poolsOf(state, family)
        .filter(({ kernel }) => kernel === 'agent')
        .map(({ name, cidr }) => reject(net(cidr), `IPPool ${name} goes by VXLAN, whose routes the agent makes`)),
      ...heldOf(state, family),
      reject({ kind: 'unreachable' }, 'no way leads to its next hop'),
      accept(undefined, 'heard by BGP'),
    ],
  };
}

function heldOf({ held }: BgpState, family: Family): Statement[] {
  const here = held.filter((network) => prefixFamily(network) === family);
  if (here.length === 0) return [];
  return [reject({ kind: 'net', in: here.map(exactly) }, 'the agent leads there while the cluster changes over')];
}

/** Of the kernel's routes of others only the default one: by it next hops beyond the own network are found. */
export function kernelImport(family: Family): Filter {
  const everything = (family === 4 ? '0.0.0.0/0' : '::/0') as Prefix;
  return {
    name: `kernel_in${family}`,
    body: [
      accept({ kind: 'net', in: [exactly(everything)] }, 'the way to next hops on other networks'),
      reject(undefined, 'only the default route is of use'),
    ],
  };
}

function poolsOf({ pools }: BgpState, family: Family): BgpPool[] {
  return pools.filter(({ cidr }) => prefixFamily(cidr) === family);
}

function accept(condition: Condition | undefined, because: string): Statement {
  return { do: 'accept', because, ...(condition === undefined ? {} : { if: condition }) };
}

function reject(condition: Condition | undefined, because: string): Statement {
  return { do: 'reject', because, ...(condition === undefined ? {} : { if: condition }) };
}

/** Only what comes from within the AS has a node for its next hop, and so a tunnel's other end. */
function tunnel({ cidr, tunnel: wanted }: BgpPool, subnets: readonly Prefix[]): Statement[] {
  if (!wanted) return [];
  const near: Condition = { kind: 'next-hop', in: subnets.filter((each) => prefixFamily(each) === prefixFamily(cidr)) };
  const far: Condition[] = wanted.when === 'cross-subnet' ? [{ kind: 'not', of: near }] : [];
  return [{ do: 'tunnel', if: { kind: 'all', of: [net(cidr), { kind: 'internal' }, ...far] }, device: wanted.device }];
}

function communities(state: BgpState, family: Family): Statement[] {
  const here = state.communities.filter(({ cidr }) => prefixFamily(cidr) === family);
  return here.flatMap(({ cidr, communities: all }) =>
    all.map(communityOf).map((community): Statement => ({ do: 'add-community', if: net(cidr), community })),
  );
}

/** `65001:100` or `65001:1:2`, as the API has checked. @throws RangeError for anything else. */
export function communityOf(text: string): Community {
  const [a, b, c, more] = text.split(':').map(Number);
  if (a === undefined || b === undefined || more !== undefined || ![a, b, c ?? 0].every(Number.isInteger)) {
    throw new RangeError(`Cannot read community "${text}": it is two or three numbers with colons between`);
  }
  return c === undefined ? [a, b] : [a, b, c];
}

const LISTS = {
  export: { 4: 'exportV4', 6: 'exportV6' },
  import: { 4: 'importV4', 6: 'importV6' },
} as const;

function rules(filters: readonly BgpFilter[], name: string, way: 'export' | 'import', family: Family): Statement[] {
  const filter = filters.find((each) => each.name === name);
  return (filter?.[LISTS[way][family]] ?? []).map((rule, i) => {
    const because = `BGPFilter ${name}, ${way}V${family} rule ${i + 1}`;
    return { do: rule.action === 'Accept' ? 'accept' : 'reject', if: ruleCondition(rule), because };
  });
}

/** All of a rule's parts must hold; a rule without any holds always. */
function ruleCondition(rule: BgpFilterRule): Condition {
  const { source, interface: ifname } = rule;
  return {
    kind: 'all',
    of: [
      ...networkCondition(rule),
      ...(source === undefined ? [] : [{ kind: 'source', is: 'bgp' } as const]),
      ...(ifname === undefined ? [] : [{ kind: 'ifname', like: ifname } as const]),
    ],
  };
}

function networkCondition({ cidr, matchOperator, prefixLength }: BgpFilterRule): Condition[] {
  if (cidr === undefined) return [];
  const bits = prefixFamily(cidr) === 4 ? 32 : 128;
  const { min = lengthOf(cidr), max = bits } = prefixLength ?? {};
  const same: Condition = { kind: 'net', in: [exactly(cidr)] };
  const least = Math.max(min, lengthOf(cidr));
  // Lengths that nothing inside has, such as at most 24 inside a /26: nothing fits.
  const within: Condition = { kind: 'net', in: least > max ? [] : [{ prefix: cidr, min: least, max }] };
  switch (matchOperator) {
    case 'Equal':
      return [same];
    case 'NotEqual':
      return [{ kind: 'not', of: same }];
    case 'NotIn':
      return [{ kind: 'not', of: within }];
    default:
      return [within];
  }
}

/** The name follows from what the filter does, so that equal ones are one and an unchanged one keeps its name. */
function named(way: 'in' | 'out', family: Family, body: readonly Statement[]): Filter {
  return { name: `${way}${family}_${hashOf(JSON.stringify(body))}`, body };
}

/** cyrb53: 53 bits in plain numbers, since there may be hundreds of filters. */
function hashOf(text: string): string {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2_654_435_761);
    b = Math.imul(b ^ code, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return (4_294_967_296 * (2_097_151 & b) + (a >>> 0)).toString(36);
}
