import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noBed, pathOf } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { good, linksOf, multiNode } from '#cni/testing/multi-node.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noBed();
const VALID = 'cni.dev/valid-attachments';
const POD = { containerID: 'c1', ifname: 'eth0' };

test('GC leaves every interface of a pod that is named: the second delegate’s, and one of a like-named network', {
  skip,
}, async (t) => {
  const { b, pod, network, bridgeOn, bridges, env, dir } = await multiNode(t);
  network('twin', bridgeOn('br-twin', '10.62.0.0/24', { cniVersion: '1.1.0', name: 'first' }));
  const second = bridgeOn('br-second', '10.61.0.0/24', { cniVersion: '1.1.0', name: 'second' });
  const conf = bridges('twin', second);
  const prevResult = good(await b.cni('ADD', env, conf));
  const has = () =>
    ['first/10.60.0.2', 'first/10.62.0.2', 'second/10.61.0.2'].map((one) => existsSync(join(dir, 'networks', one)));
  assert.deepEqual(has(), [true, true, true]);

  good(await b.cni('GC', {}, { ...conf, [VALID]: [POD] }));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), ['eth0', 'net1', 'net2']);
  assert.deepEqual(has(), [true, true, true]);
  good(await b.cni('CHECK', env, { ...conf, prevResult }));

  good(await b.cni('GC', {}, { ...conf, [VALID]: [] }));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), []);
  assert.deepEqual(has(), [false, false, false]);
  assert.deepEqual(readdirSync(join(dir, 'multi')), []);
});

test('GC goes on behind a pod that cannot be deleted, and says why at the end', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, bridges, env, dir } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  using other = scratchNetns();
  const conf = bridges('blue');
  good(await b.cni('ADD', env, conf));
  good(await b.cni('ADD', { ...env, CNI_CONTAINERID: 'c2', CNI_NETNS: pathOf(other) }, conf));
  const file = join(dir, 'multi/c1-eth0.json');
  const cached = JSON.parse(readFileSync(file, 'utf8'));
  cached.attachments[1].config = JSON.stringify({ cniVersion: '1.0.0', name: 'blue', type: 'gone-plugin' });
  writeFileSync(file, JSON.stringify(cached));

  const answer = await b.cni('GC', {}, { ...conf, [VALID]: [] });
  assert.deepEqual([answer.exit, answer.json?.code], [1, 5], answer.stdout);
  assert.match(String(answer.json?.msg), /gone-plugin/);
  assert.deepEqual([linksOf(sh('ip -j link', pod)), linksOf(sh('ip -j link', other))], [['net1'], []]);
  assert.deepEqual(readdirSync(join(dir, 'multi')), ['c1-eth0.json'], 'what is left is tried again by the next GC');
});

test('GC leaves a list alone that says disableGC', { skip }, async (t) => {
  const { b, bridgeOn, bridges, dir } = await multiNode(t);
  const stale = join(dir, 'networks/second/10.61.0.9');
  mkdirSync(join(dir, 'networks/second'), { recursive: true });
  writeFileSync(stale, 'gone\r\neth0');
  const list = { cniVersion: '1.1.0', name: 'second', plugins: [bridgeOn('br-second', '10.61.0.0/24')] };
  const gc = async (more: object) => good(await b.cni('GC', {}, { ...bridges('', { ...list, ...more }), [VALID]: [] }));
  await gc({ disableGC: true });
  assert.equal(existsSync(stale), true);
  await gc({});
  assert.equal(existsSync(stale), false);
});
