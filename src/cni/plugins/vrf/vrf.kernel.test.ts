import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { vrf } from '#cni/plugins/vrf/vrf.ts';
import { chainBed, makeBridge, makePod, sh } from '#cni/testing/chain-bed.ts';
import { inNewNetns } from '#kernel/netns/enter.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

const hasVrf = () => inNewNetns(() => spawnSync('ip', ['link', 'add', 'v', 'type', 'vrf', 'table', '10']).status === 0);
const kernelHas = !noKernel && hasVrf();

const conf = (more: object) => ({ cniVersion: '1.0.0', name: 'net', type: 'vrf', vrfname: 'blue', ...more });

test('a kernel without VRF is named, and nothing is left', {
  skip: noKernel || (kernelHas && 'the kernel has VRF'),
}, async (t) => {
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  const before = sh('ip addr; ip route', pod.netns);
  const { json } = await b.call('ADD', vrf, conf({ prevResult: pod.prevResult }), pod.env);
  assert.equal(json?.code, 100);
  assert.match(String(json?.msg), /interfaces of kind vrf/);
  assert.equal(sh('ip addr; ip route', pod.netns), before);
  await b.ok('DEL', vrf, conf({}), pod.env);
  await b.ok('GC', vrf, conf({}));
  assert.equal((await b.call('STATUS', vrf, conf({}))).json?.code, 50);
});

test('ADD puts the interface into the VRF with addresses and routes, DEL takes it out', {
  skip: noKernel || (!kernelHas && 'the kernel has no VRF'),
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

test('vrf refuses what it cannot use, with the key', { skip: noKernel }, async (t) => {
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  const cases: [object, RegExp][] = [
    [conf({ vrfname: '', prevResult: pod.prevResult }), /vrfname/],
    [conf({ table: -1, prevResult: pod.prevResult }), /table/],
    [conf({}), /prevResult is missing/],
    [conf({ vrfname: 'eth0', prevResult: pod.prevResult }), /eth0 that is no VRF/],
  ];
  for (const [bad, said] of cases) {
    const { json } = await b.call('ADD', vrf, bad, pod.env);
    assert.equal(json?.code, 7);
    assert.match(String(json?.msg), said);
  }
  await b.ok('DEL', vrf, conf({}), { ...pod.env, CNI_NETNS: '' });
});
