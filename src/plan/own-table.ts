/** NodeState -> the nft table: what leaves all pools is masqueraded, what VXLAN sends between nodes is not tracked. */

import type { NodeState, VxlanState } from '#calc/state.ts';
import { familyOf } from '#net/addr.ts';
import { type Prefix, parsePrefix, prefixFamily } from '#net/prefix.ts';
import { match, payload, prefixExpr } from '#wire/nft/build.ts';
import type { Hook, Rule, Table } from '#wire/nft/values.ts';

type WantedChain = Table['chains'][number];

/** `raw` and `srcnat` of nft(8): before connections are looked up, and where sources are rewritten. */
const PRIO_RAW = -300;
const PRIO_SRCNAT = 100;

export function ownTable({ masquerade, tunnels }: Pick<NodeState, 'masquerade' | 'tunnels'>): Table {
  const vxlan = tunnels.filter((tunnel) => tunnel.kind === 'vxlan');
  return { sets: [], chains: [...natChains(masquerade), ...untracked(vxlan)] };
}

/** What leaves all pools gets the node's address, else nobody outside could answer; multicast goes as it is. */
function natChains({ from, inside }: NodeState['masquerade']): WantedChain[] {
  if (from.length === 0) return [];
  const base = { type: 'nat', hook: 'postrouting', prio: PRIO_SRCNAT, policy: 'accept' } as const;
  return [{ name: 'postrouting', base, rules: from.map((pool) => masqueradeRule(pool, inside)) }];
}

function masqueradeRule(pool: Prefix, inside: readonly Prefix[]): Rule {
  const family = prefixFamily(pool);
  const protocol = family === 4 ? 'ip' : 'ip6';
  const multicast = parsePrefix(family === 4 ? '224.0.0.0/4' : 'ff00::/8');
  const to = payload(protocol, 'daddr');
  // A match each: of an anonymous set nftables joins neighbours, and lists another one than was given.
  const pools = inside.filter((each) => prefixFamily(each) === family);
  return {
    expr: [
      match(payload(protocol, 'saddr'), prefixExpr(pool)),
      ...pools.map((each) => match(to, prefixExpr(each), '!=')),
      match(to, prefixExpr(multicast), '!='),
      { masquerade: { flags: 'fully-random' } },
    ],
    comment: 'masquerade what leaves the pod network',
  };
}

/**
 * Outer packets are no connection: they come from ports of their own and never answer one another, so tracking them
 * costs a look-up and an entry a flow, and tells nothing. Calico does not track them either.
 */
function untracked(tunnels: readonly VxlanState[]): WantedChain[] {
  if (tunnels.length === 0) return [];
  const chain = (name: string, hook: Hook['hook'], end: 'saddr' | 'daddr'): WantedChain => ({
    name,
    base: { type: 'filter', hook, prio: PRIO_RAW, policy: 'accept' },
    rules: tunnels.map((tunnel) => untrackedRule(tunnel, end)),
  });
  return [chain('raw-prerouting', 'prerouting', 'daddr'), chain('raw-output', 'output', 'saddr')];
}

/** Of this node alone: pods may have a VXLAN of their own on the same port. */
function untrackedRule({ local, port }: VxlanState, end: 'saddr' | 'daddr'): Rule {
  return {
    expr: [
      match(payload(familyOf(local) === 4 ? 'ip' : 'ip6', end), local),
      match(payload('udp', 'dport'), port),
      { notrack: null },
    ],
    comment: 'outer packets of VXLAN are no connections',
  };
}
