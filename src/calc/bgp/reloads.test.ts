import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcBgp } from '#calc/bgp/bgp.ts';
import { birdConf } from '#calc/bgp/bird-conf.ts';
import { bgpCluster, bgpNode } from '#calc/testing/bgp-clusters.ts';
import { UNDERLAY } from '#calc/testing/clusters.ts';
import { parsePrefix } from '#net/prefix.ts';
import { poolOf } from '#spec/pool.ts';
import type { BirdConf } from '#wire/bird/conf.ts';
import { reloads } from '#wire/bird/reloads.ts';

/** Of a mesh of so many nodes. */
function confOf(nodes: number, disableBgpExport: boolean): BirdConf {
  const all = Array.from({ length: nodes }, (_, i) => bgpNode(`node${i + 1}`, i + 1));
  const pools = [poolOf('default', parsePrefix('10.244.0.0/16'), { disableBgpExport })];
  const snapshot = bgpCluster({ nodes: all, pools });
  const [self] = snapshot.nodes;
  const { state } = self ? calcBgp(snapshot, self, UNDERLAY) : {};
  assert.ok(state);
  return birdConf(state, () => undefined).conf;
}

test('reloads: only sessions whose filter does something else', () => {
  assert.deepEqual(reloads(confOf(3, false), confOf(3, true)), [
    'reload out Mesh_192_168_1_102',
    'reload out Mesh_192_168_1_103',
  ]);
  assert.deepEqual(reloads(confOf(2, false), confOf(3, true)), ['reload out Mesh_192_168_1_102']);
  assert.deepEqual(reloads(confOf(3, false), confOf(3, false)), []);
});

test('reloads: many sessions by one command', () => {
  assert.deepEqual(reloads(confOf(50, false), confOf(50, true)), ['reload out "Mesh_*"']);
});
