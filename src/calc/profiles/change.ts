/** What has to be written so that a running cluster goes by another profile, or why it cannot. */

import { askedKinds } from '#calc/routes/change-over.ts';
import { familiesToEncrypt } from '#calc/routes/wireguard.ts';
import type { ClusterNode, Profile, Snapshot } from '#spec/cluster.ts';
import { defaultPools } from '#spec/cluster.ts';
import type { EncapsulationMode, Pool } from '#spec/pool.ts';
import { inOrder, type WayKind } from '#spec/ways.ts';

/** What every node sees alike. */
export type ClusterView = Omit<Snapshot, 'local'>;

type Modes = Pick<Pool, 'ipip' | 'vxlan'>;

export interface PoolChange {
  readonly name: string;
  readonly from: Modes;
  readonly to: Modes;
}

export interface ProfileChange {
  readonly from: Profile;
  readonly to: Profile;
  /** Pools that have to be written; of a cluster with node CIDRs none, as its networks follow the profile. */
  readonly pools: readonly PoolChange[];
  /** Names of pools with modes of their own: they stay as they are. */
  readonly left: readonly string[];
}

/** Why running pods cannot go along; one sentence. Undefined: they can. */
export function whyApart(from: Profile, to: Profile): string | undefined {
  if (from.attachment !== to.attachment) {
    return `Pods of ${from.name} ${HANGS[from.attachment](from)}, those of ${to.name} ${HANGS[to.attachment](to)}, and a running pod cannot be hung elsewhere.`;
  }
  if (from.ipam !== to.ipam) {
    return `Pods of ${from.name} have addresses of ${SOURCES[from.ipam]}, those of ${to.name} of ${SOURCES[to.ipam]}, and a running pod keeps its address.`;
  }
  return undefined;
}

const HANGS = {
  bridge: ({ bridge }: Profile) => `hang on the bridge ${bridge}`,
  routed: () => 'have a route each',
} as const;
const SOURCES = { 'node-cidr': 'node CIDRs', pools: 'IPPools' } as const;

/** The first pools of a cluster, and those that are as the old profile has them, follow. */
export function changeTo(to: Profile, { config, pools }: Pick<ClusterView, 'config' | 'pools'>): ProfileChange {
  const from = config.profile;
  if (to.ipam === 'node-cidr') return { from, to, pools: [], left: [] };
  const first = new Set(defaultPools(config).map(({ name }) => name));
  const wanted = pools.map((pool) => {
    const follows = first.has(pool.name) || sameModes(pool, modesOf(from, pool));
    return { name: pool.name, from: pickModes(pool), to: follows ? modesOf(to, pool) : pickModes(pool) };
  });
  return {
    from,
    to,
    pools: wanted.filter((change) => !sameModes(change.from, change.to)),
    left: wanted.filter((change) => sameModes(change.from, change.to) && !fits(change, to, pools)).map((c) => c.name),
  };
}

function fits({ name, from }: PoolChange, to: Profile, pools: readonly Pool[]): boolean {
  const pool = pools.find((each) => each.name === name);
  return pool !== undefined && sameModes(from, modesOf(to, pool));
}

function pickModes({ ipip, vxlan }: Modes): Modes {
  return { ipip, vxlan };
}

/** IPIP is IPv4 inside IPv4. */
function modesOf({ pool }: Profile, { cidr }: Pool): Modes {
  return { ipip: cidr.includes(':') ? 'never' : pool.ipip, vxlan: pool.vxlan };
}

function sameModes(a: Modes, b: Modes): boolean {
  return a.ipip === b.ipip && a.vxlan === b.vxlan;
}

/** The cluster as it is when all of it has been written. */
export function after(view: ClusterView, { to, pools }: ProfileChange): ClusterView {
  const config = { ...view.config, profile: to };
  if (to.ipam === 'node-cidr') return { ...view, config, pools: defaultPools(config) };
  const changed = view.pools.map((pool) => ({ ...pool, ...pools.find(({ name }) => name === pool.name)?.to }));
  return { ...view, config, pools: changed };
}

/** How far a node is. */
export interface NodeProgress {
  readonly node: string;
  /** Kinds that the settings ask of it. */
  readonly goal: readonly WayKind[];
  readonly accepts: readonly WayKind[];
  readonly sends: readonly WayKind[];
  readonly state: 'silent' | 'waiting' | 'changing' | 'done';
}

/** In the order of the nodes. `silent`: its agent has said nothing yet; `waiting`: nothing of the new way is there. */
export function progressOf(view: ClusterView): NodeProgress[] {
  return view.nodes.map((node) => {
    const goal = goalOf(view, node);
    const { accepts = [], sends = [] } = node.ways ?? {};
    const state = node.ways === undefined ? 'silent' : stateOf(goal, accepts, sends);
    return { node: node.name, goal, accepts, sends, state };
  });
}

function goalOf(view: ClusterView, node: ClusterNode): WayKind[] {
  const encrypts = familiesToEncrypt(view, { ...node, ways: { accepts: [], sends: [] } }).length > 0;
  return inOrder(new Set([...askedKinds(view, node), ...(encrypts ? (['wireguard'] as const) : [])]));
}

function stateOf(goal: readonly WayKind[], ...said: readonly (readonly WayKind[])[]): NodeProgress['state'] {
  if (said.every((kinds) => kinds.join() === goal.join())) return 'done';
  return goal.every((kind) => said[0]?.includes(kind)) ? 'changing' : 'waiting';
}

/** As Calico's IPPool spells it. */
export const MODE_WORDS: Readonly<Record<EncapsulationMode, string>> = {
  always: 'Always',
  'cross-subnet': 'CrossSubnet',
  never: 'Never',
};
