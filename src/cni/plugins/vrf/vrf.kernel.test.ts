import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vrf } from '#cni/plugins/vrf/vrf.ts';
import { chainBed, makeBridge, makePod, sh } from '#cni/testing/chain-bed.ts';
import { noFeature } from '#kernel/testing/feature.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

const kernelHas = noFeature({ op: 'link.add', link: { name: 'v', info: { kind: 'vrf', table: 10 } } }) === false;

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
