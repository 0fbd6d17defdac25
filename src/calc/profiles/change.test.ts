import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, changeTo, progressOf, whyApart } from '#calc/profiles/change.ts';
import { BLOCKS, CLUSTERS, cluster } from '#calc/testing/clusters.ts';
import { parsePrefix } from '#net/prefix.ts';
import { PROFILES } from '#spec/cluster.ts';
import { poolOf } from '#spec/pool.ts';

test('whyApart parts profiles whose pods hang or are addressed otherwise, and no others', () => {
  const names = Object.keys(PROFILES) as (keyof typeof PROFILES)[];
  const together = names.map((a) => names.filter((b) => whyApart(PROFILES[a], PROFILES[b]) === undefined).join(' '));
  assert.deepEqual(
    [...new Set(together)],
    ['vxlan', 'flannel-vxlan flannel-host-gw', 'calico-vxlan calico-ipip calico-bgp wireguard'],
  );
  assert.match(whyApart(PROFILES.vxlan, PROFILES['calico-ipip']) ?? '', /node CIDRs, those of calico-ipip of IPPools/);
  assert.match(
    whyApart(PROFILES['flannel-vxlan'], PROFILES.vxlan) ?? '',
    /the bridge cni0, those of vxlan have a route/,
  );
});

test('changeTo takes along the first pools and those that are as the old profile has them, and leaves the rest', () => {
  const pools = [
    poolOf('default-ipv4-ippool', parsePrefix('10.244.0.0/17'), { vxlan: 'cross-subnet' }),
    poolOf('more', parsePrefix('10.244.128.0/18'), { vxlan: 'always' }),
    poolOf('own', parsePrefix('10.244.192.0/18'), { vxlan: 'cross-subnet' }),
    poolOf('six', parsePrefix('fd00:10:244::/48'), { vxlan: 'always' }),
  ];
  const view = cluster(PROFILES['calico-vxlan'], { pools, nodes: BLOCKS });
  const change = changeTo(PROFILES['calico-ipip'], view);
  assert.deepEqual(
    change.pools.map(({ name, to }) => [name, to.ipip, to.vxlan]),
    [
      ['default-ipv4-ippool', 'always', 'never'],
      ['more', 'always', 'never'],
      ['six', 'never', 'never'],
    ],
  );
  assert.deepEqual(change.left, ['own']);
  // Done once, and again: nothing is left to write, wherever the first time ended.
  assert.deepEqual(changeTo(PROFILES['calico-ipip'], after(view, change)).pools, []);
  const halfway = { ...view, pools: after(view, change).pools };
  assert.deepEqual(
    [changeTo(PROFILES['calico-ipip'], halfway).pools, halfway.config.profile.name],
    [[], 'calico-vxlan'],
  );
});

test('progressOf tells who has changed, who is at it, and who has not begun or says nothing', () => {
  const [a, b, c] = BLOCKS;
  assert.ok(a && b && c);
  const nodes = [
    { ...a, ways: { accepts: ['ipip'], sends: ['ipip'] } as const },
    { ...b, ways: { accepts: ['ipip', 'vxlan'], sends: ['ipip'] } as const },
    { ...c, ways: { accepts: ['vxlan'], sends: ['vxlan'] } as const },
    { ...c, name: 'node4' },
  ];
  const states = progressOf({ ...CLUSTERS['calico-ipip'], nodes }).map(({ state }) => state);
  assert.deepEqual(states, ['done', 'changing', 'waiting', 'silent']);
});
