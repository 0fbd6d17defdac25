/** vrf on a kernel that has VRFs. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vrf } from '#cni/plugins/vrf/vrf.ts';
import { chainBed, makeBridge, makePod, sh } from '#cni/testing/chain-bed.ts';
import { noFeature } from '#kernel/testing/feature.ts';

const noVrf = noFeature({ op: 'link.add', link: { name: 'v', info: { kind: 'vrf', table: 10 } } });

const conf = (more: object) => ({ cniVersion: '1.0.0', name: 'net', type: 'vrf', vrfname: 'blue', ...more });

test('ADD puts the interface into the VRF with addresses and routes, DEL takes it out', {
  skip: noVrf,
}, async (t) => {
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  const full = conf({ prevResult: pod.prevResult, table: 42 });
  assert.deepEqual(await b.ok('ADD', vrf, full, pod.env), pod.prevResult);
  assert.match(sh('ip -d link show blue', pod.netns), /vrf table 42/);
  assert.match(sh('ip link show master blue', pod.netns), /eth0/);
  assert.match(sh('ip route show vrf blue', pod.netns), /default via 10\.9\.0\.1 dev eth0/);
  assert.match(sh('ip -6 addr show dev eth0', pod.netns), /fd09::2\/64/);
  await b.ok('CHECK', vrf, full, pod.env);
  const { json } = await b.call('CHECK', vrf, conf({ prevResult: pod.prevResult, table: 43 }), pod.env);
  assert.equal(json?.code, 112);
  await b.ok('DEL', vrf, conf({}), pod.env);
  assert.doesNotMatch(sh('ip link', pod.netns), /blue/);
  assert.match(sh('ip route', pod.netns), /default via 10\.9\.0\.1 dev eth0/);
  await b.ok('DEL', vrf, conf({}), pod.env);
});

test('DEL finds the VRF by its interface where nobody can read its name', { skip: noVrf }, async (t) => {
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  await b.ok('ADD', vrf, conf({ prevResult: pod.prevResult }), pod.env);
  for (const _ of [1, 2]) await b.ok('DEL', vrf, conf({ vrfname: 5, table: 'x' }), pod.env);
  assert.doesNotMatch(sh('ip link', pod.netns), /blue/);
  assert.match(sh('ip route', pod.netns), /default via 10\.9\.0\.1 dev eth0/);
});
