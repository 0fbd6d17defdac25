import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPools } from '#serve/controller/pools/default-pools.ts';
import { TestWorld } from '#serve/controller/testing.ts';
import { IP_POOLS, type IpPool } from '#spec/calico.ts';
import { PROFILE_NAMES, PROFILES } from '#spec/cluster.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import type { KubeObject } from '#spec/k8s.ts';

const settings = (data: Record<string, string>): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...CONFIG_MAP }, data }) as KubeObject;

const ofPeople: IpPool = {
  apiVersion: 'crd.projectcalico.org/v1',
  kind: 'IPPool',
  metadata: { name: 'ours' },
  spec: { cidr: '10.9.0.0/16' },
};

const pools = (world: TestWorld) =>
  Object.fromEntries([...world.of(IP_POOLS)].map(([name, { spec }]) => [name, spec?.cidr]));

test('the cluster’s networks become pools with the profile’s modes, IPIP only for IPv4', () => {
  const world = new TestWorld([
    settings({ profile: 'calico-ipip', clusterCIDR: '10.244.0.0/16,fd00:10:244::/48', masquerade: 'false' }),
  ]);
  world.settle(defaultPools);
  const [four, six] = ['default-ipv4-ippool', 'default-ipv6-ippool'].map((name) => world.of(IP_POOLS).get(name)?.spec);
  assert.deepEqual(four, {
    cidr: '10.244.0.0/16',
    blockSize: 26,
    ipipMode: 'Always',
    vxlanMode: 'Never',
    natOutgoing: false,
    nodeSelector: 'all()',
  });
  assert.deepEqual([six?.cidr, six?.blockSize, six?.ipipMode], ['fd00:10:244::/48', 122, 'Never']);
});

/** What may be there when the controller looks, in any order. */
const STATES = {
  'nothing is set': {},
  'settings that are wrong': { settings: { profile: 'nope' } },
  ...Object.fromEntries(PROFILE_NAMES.map((profile) => [profile, { settings: { profile } }])),
  'people have a pool': { settings: { profile: 'calico-vxlan' }, pools: [ofPeople] },
  'people have a pool and no settings': { pools: [ofPeople] },
} satisfies Record<string, { settings?: Record<string, string>; pools?: readonly IpPool[] }>;

type State = { readonly settings?: Record<string, string>; readonly pools?: readonly IpPool[] };

/** What a state comes to, given the pools that are there already. */
function expected({ settings: data }: State, before: Record<string, unknown>): Record<string, unknown> {
  const profile = data && PROFILES[data.profile as keyof typeof PROFILES];
  const wanted = profile?.ipam === 'pools' && Object.keys(before).length === 0;
  return wanted ? { 'default-ipv4-ippool': '10.244.0.0/16' } : before;
}

test('from any state to any state: pools are made where there is none and the profile wants some, and never changed', () => {
  const states: readonly (readonly [string, State])[] = Object.entries(STATES);
  for (const [from, first] of states) {
    for (const [to, second] of states) {
      const world = new TestWorld();
      for (const state of [first, second]) {
        world.remove(settings({}));
        if (state.settings) world.put(settings(state.settings));
        for (const pool of state.pools ?? []) world.put(pool);
        const before = pools(world);
        world.settle(defaultPools);
        assert.deepEqual(pools(world), expected(state, before), `${from} -> ${to}`);
        assert.deepEqual(world.settle(defaultPools), [], `${from} -> ${to}: no more to do`);
      }
    }
  }
});
