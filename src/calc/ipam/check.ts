/** What cannot be right about addresses: leaks, double use, pods without an address of a block, blocks of nobody. */

import { poolOfAddr, poolOfBlock } from '#calc/ipam/pools.ts';
import { type Given, givenOf, type IpamState, type PodUse } from '#calc/ipam/state.ts';
import { type Addr, compareAddr } from '#net/addr.ts';
import { contains, firstAddr, lengthOf, overlaps } from '#net/prefix.ts';
import type { Block } from '#spec/block.ts';

export type FindingKind =
  /** A block says that an address is given, and who had it is gone. */
  | 'leaked'
  /** A pod has an address of a pool, and no block says so. */
  | 'not-in-a-block'
  | 'outside-pools'
  | 'used-twice'
  | 'block-without-node'
  | 'block-outside-pools'
  | 'overlapping-blocks'
  | 'unreadable-block'
  | 'block-without-claim'
  | 'claim-without-block';

export interface Finding {
  readonly kind: FindingKind;
  readonly sentence: string;
  readonly addr?: Addr;
  readonly block?: string;
  readonly node?: string;
  /** What the address is given for: it is still the same leak only while this stands there. */
  readonly handle?: string;
}

/** Whether `polder ipam release` can mend it. */
export function isReleasable({ kind, addr }: Finding): boolean {
  return kind === 'leaked' && addr !== undefined;
}

/** Two findings that are the same thing seen twice. */
export function sameFinding(a: Finding, b: Finding): boolean {
  return a.kind === b.kind && a.addr === b.addr && a.block === b.block && a.node === b.node && a.handle === b.handle;
}

/** Sorted by kind, in the order of places. */
export function checkIpam(state: IpamState): Finding[] {
  const all = givenOf(state);
  const at: Index = new Map(all.map((given) => [given.addr, given]));
  const leaks = all.flatMap((given) => leakOf(state, at, given));
  return [...leaks, ...checkPods(state, at), ...checkBlocks(state), ...checkClaims(state)];
}

/** What each given address is given for. */
type Index = ReadonlyMap<Addr, Given>;

function leakOf(state: IpamState, at: Index, given: Given): Finding[] {
  const why = whyLeaked(state, at, given);
  if (why === undefined) return [];
  const { addr, block, allocation } = given;
  const { node, handle } = allocation;
  const where = node === '' ? '' : ` on node ${node}`;
  const sentence = `${addr} is given to ${wordsOf(given)}${where}, ${why}`;
  return [{ kind: 'leaked', sentence, addr, block: block.cidr, node, handle }];
}

function wordsOf({ pod, use, allocation: { handle } }: Given): string {
  if (pod !== undefined) return `pod ${pod}`;
  return { stock: 'the stock', tunnel: 'a tunnel device', pod: handle, other: handle || 'nobody by name' }[use];
}

/** Why nobody can have the address any more; undefined if somebody may. */
function whyLeaked(state: IpamState, at: Index, given: Given): string | undefined {
  const { allocation, pod: name, addr } = given;
  if (name === undefined) {
    return allocation.node === '' || state.nodes.has(allocation.node) ? undefined : 'and there is no such node';
  }
  const pod = state.pods.find((one) => one.name === name);
  if (pod === undefined) return 'and there is no such pod';
  if (pod.addrs.length === 0 || pod.addrs.includes(addr)) return undefined;
  // Of the pod's second network, perhaps: only another container's handle tells that this one's is over.
  const other = pod.addrs.map((one) => at.get(one)).find((one) => one?.pod === name);
  if (other === undefined || other.allocation.handle === allocation.handle) return undefined;
  return `and that pod has ${pod.addrs.join(', ')} by now`;
}

function checkPods(state: IpamState, at: Index): Finding[] {
  const living = state.pods.filter(({ ended }) => !ended);
  const users = new Map<Addr, PodUse[]>();
  for (const pod of living) for (const addr of pod.addrs) users.set(addr, [...(users.get(addr) ?? []), pod]);
  return [...users].flatMap(([addr, pods]) => [
    ...twice(addr, pods),
    ...pods.flatMap((pod) => homeless(state, at, pod, addr)),
  ]);
}

function twice(addr: Addr, pods: readonly PodUse[]): Finding[] {
  if (pods.length < 2) return [];
  const names = pods.map(({ name, node }) => `${name} on node ${node}`).join(' and ');
  return [{ kind: 'used-twice', sentence: `${addr} is the address of pods ${names}`, addr }];
}

function homeless(state: IpamState, at: Index, { name, node }: PodUse, addr: Addr): Finding[] {
  const inNodeCidr = (state.nodes.get(node) ?? []).some((cidr) => contains(cidr, addr));
  const finding = (kind: FindingKind, what: string): Finding[] => [
    { kind, sentence: `Pod ${name} on node ${node} has ${addr}, ${what}`, addr, node },
  ];
  if (!state.fromPools) return inNodeCidr ? [] : finding('outside-pools', 'which is not of the node’s podCIDR');
  if (poolOfAddr(state.pools, addr) === undefined) return finding('outside-pools', 'which is of no pool');
  const given = at.get(addr);
  if (given === undefined) return finding('not-in-a-block', 'which no block says is given');
  if (given.pod !== undefined && given.pod !== name) {
    return finding('used-twice', `which the block ${given.block.cidr} says is given to pod ${given.pod}`);
  }
  return given.use === 'stock' ? finding('not-in-a-block', `which node ${given.allocation.node} has in stock`) : [];
}

function checkBlocks({ blocks, unreadable, nodes, pools }: IpamState): Finding[] {
  const broken = unreadable.map((name): Finding => {
    return { kind: 'unreadable-block', sentence: `IPAMBlock ${name} cannot be understood`, block: name };
  });
  return [
    ...broken,
    ...blocks.flatMap((block) => [...nobodys(block, nodes), ...poolless(block, pools)]),
    ...crossing(blocks),
  ];
}

function nobodys({ cidr, owner, given }: Block, nodes: IpamState['nodes']): Finding[] {
  if (owner === undefined && given.size === 0) {
    return [{ kind: 'block-without-node', sentence: `Block ${cidr} belongs to no node and has nothing`, block: cidr }];
  }
  if (owner === undefined || nodes.has(owner)) return [];
  const sentence = `Block ${cidr} belongs to node ${owner}, and there is no such node`;
  return [{ kind: 'block-without-node', sentence, block: cidr, node: owner }];
}

function poolless({ cidr }: Block, pools: IpamState['pools']): Finding[] {
  if (poolOfBlock(pools, cidr) !== undefined) return [];
  return [{ kind: 'block-outside-pools', sentence: `Block ${cidr} is of no pool`, block: cidr }];
}

/** Networks are nested or apart: in the order of addresses it is enough to look at the last that none holds. */
function crossing(blocks: readonly Block[]): Finding[] {
  const sorted = blocks
    .map(({ cidr }) => cidr)
    .sort((a, b) => compareAddr(firstAddr(a), firstAddr(b)) || lengthOf(a) - lengthOf(b));
  let [outer] = sorted;
  const found: Finding[] = [];
  for (const cidr of sorted.slice(1)) {
    if (outer === undefined || !overlaps(outer, cidr)) outer = cidr;
    else found.push({ kind: 'overlapping-blocks', sentence: `Blocks ${outer} and ${cidr} overlap`, block: cidr });
  }
  return found;
}

function checkClaims({ blocks, claims }: IpamState): Finding[] {
  const key = (node: string, cidr: string) => `${node} ${cidr}`;
  const owned = new Set(blocks.map(({ owner = '', cidr }) => key(owner, cidr)));
  const claimed = new Set(claims.map(({ node, cidr }) => key(node, cidr)));
  const idle = claims.filter(({ node, cidr }) => !owned.has(key(node, cidr)));
  const bare = blocks.filter(
    (b): b is Block & { owner: string } => b.owner !== undefined && !claimed.has(key(b.owner, b.cidr)),
  );
  return [
    ...idle.map(({ name, node, cidr }): Finding => {
      const sentence = `BlockAffinity ${name} claims ${cidr} for node ${node}, whose it is not`;
      return { kind: 'claim-without-block', sentence, block: cidr, node };
    }),
    ...bare.map(({ cidr, owner }): Finding => {
      const sentence = `Block ${cidr} belongs to node ${owner}, which has no BlockAffinity for it`;
      return { kind: 'block-without-claim', sentence, block: cidr, node: owner };
    }),
  ];
}
