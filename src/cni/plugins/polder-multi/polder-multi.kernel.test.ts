import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noBed } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { networkPath, POD_PATH } from '#cni/testing/fake-cluster.ts';
import { ANNOTATIONS, good, linksOf, multiNode } from '#cni/testing/multi-node.ts';

const skip = noBed();

test('polder-multi gives the default network first, then net1, net2, and tells the pod', { skip }, async (t) => {
  const { b, cluster, pod, network, bridgeOn, withNetworks, env, dir } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  network('red', { cniVersion: '1.0.0', name: 'red', plugins: [bridgeOn('br-red', '10.72.0.0/24')] }, 'other');
  const conf = withNetworks('blue, other/red@data0');
  const result = good(await b.cni('ADD', env, conf));
  assert.equal((result.ips as { address: string }[])[0]?.address, '10.244.1.2/24');
  assert.deepEqual(linksOf(sh('ip -j link', pod)), ['data0', 'eth0', 'net1']);
  assert.match(sh('ip -o addr show net1', pod), /10\.71\.0\.2\/24/);
  assert.match(sh('ip -o addr show data0', pod), /10\.72\.0\.2\/24/);
  const [patch] = cluster.patches as { metadata: { annotations: Record<string, string> } }[];
  const status = JSON.parse(patch?.metadata.annotations['k8s.v1.cni.cncf.io/network-status'] ?? '[]');
  const seen = status.map((one: Record<string, unknown>) => [one.name, one.interface, one.default, one.ips]);
  assert.deepEqual(seen, [
    ['first', 'eth0', true, ['10.244.1.2']],
    ['web/blue', 'net1', undefined, ['10.71.0.2']],
    ['other/red', 'data0', undefined, ['10.72.0.2']],
  ]);

  good(await b.cni('CHECK', env, { ...conf, prevResult: result }));
  sh('ip addr del 10.71.0.2/24 dev net1', pod);
  assert.equal((await b.cni('CHECK', env, { ...conf, prevResult: result })).exit, 1);

  // The API is away, the runtime has neither annotations nor a result, and the agent is another.
  await cluster.close();
  await b.restart({ coolDownMs: 0 });
  const { runtimeConfig: _, ...bare } = conf;
  good(await b.cni('DEL', env, bare));
  good(await b.cni('DEL', { ...env, CNI_NETNS: '' }, bare));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), []);
  assert.deepEqual(readdirSync(join(dir, 'multi')), []);
  for (const name of ['blue', 'red']) assert.equal(existsSync(join(dir, 'networks', name, '10.71.0.2')), false);
  assert.equal(b.server.endpoints().length, 0);
});

test('polder-multi asks no API for a pod without networks', { skip }, async (t) => {
  const { b, cluster, pod, withNetworks, env, conf } = await multiNode(t);
  good(await b.cni('ADD', env, { ...conf, runtimeConfig: { [ANNOTATIONS]: {} } }));
  assert.deepEqual(cluster.requests, []);
  good(await b.cni('DEL', env, conf));
  // Without the capability the pod is asked for.
  good(await b.cni('ADD', env, conf));
  assert.deepEqual(cluster.requests, [`GET ${POD_PATH}`]);
  good(await b.cni('DEL', env, conf));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), []);
  good(await b.cni('STATUS', {}, withNetworks('')));
});

test('polder-multi undoes everything when one network fails', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env, dir, cluster } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  network('broken', { ...bridgeOn('br-x', '10.72.0.0/24'), type: 'no-such-plugin' });
  network('nonsense', '{');
  const fails = async (networks: string, code: number, words: RegExp) => {
    const answer = await b.cni('ADD', env, withNetworks(networks));
    assert.deepEqual([answer.exit, answer.json?.code], [1, code], answer.stdout);
    assert.match(String(answer.json?.msg), words);
    assert.deepEqual(linksOf(sh('ip -j link', pod)), [], networks);
    assert.equal(b.server.endpoints().length, 0);
    assert.deepEqual(existsSync(join(dir, 'multi')) ? readdirSync(join(dir, 'multi')) : [], []);
  };
  await fails('blue,broken', 5, /no-such-plugin/);
  assert.equal(existsSync(join(dir, 'networks/blue/10.71.0.2')), false);
  await fails('blue,missing', 7, /no NetworkAttachmentDefinition web\/missing/);
  await fails('nonsense', 6, /NetworkAttachmentDefinition web\/nonsense/);
  await fails('blue@eth0', 7, /interface/);
  await fails('blue@', 7, /interface/);
  await fails('[{"name":"blue","bandwidth":{"ingressRate":1}}]', 7, /bandwidth, but no plugin declares/);
  for (const [code, expected] of [
    [429, 11],
    [503, 11],
    [403, 7],
  ] as const) {
    cluster.objects.set(networkPath('web', 'blue'), { kind: 'Status', code, message: 'not now' });
    await fails('blue', expected, /API.*not now/);
  }
  await cluster.close();
  await fails('blue', 11, /API/);
});

test('polder-multi refuses a second ADD, and an interface name that is taken, and leaves what is there', {
  skip,
}, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env, conf } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  for (const asked of [conf, withNetworks('blue')]) {
    const result = good(await b.cni('ADD', env, asked));
    const again = await b.cni('ADD', env, asked);
    assert.deepEqual([again.exit, again.json?.code], [1, 111], again.stdout);
    good(await b.cni('CHECK', env, { ...asked, prevResult: result }));
    good(await b.cni('DEL', env, asked));
    assert.deepEqual(linksOf(sh('ip -j link', pod)), []);
  }
  sh('ip link add net1 type bridge', pod);
  const taken = await b.cni('ADD', env, withNetworks('blue'));
  assert.match(String(taken.json?.msg), /net1/);
  assert.deepEqual(linksOf(sh('ip -j link', pod)), ['net1']);
});

test('polder-multi passes addresses, MAC and arguments of the selection on, and moves the default route', {
  skip,
}, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24', { isGateway: true }));
  const selection = {
    name: 'blue',
    interface: 'lan',
    ips: ['10.71.0.77/24'],
    mac: '02:00:00:00:00:77',
    'default-route': ['10.71.0.1'],
  };
  const conf = withNetworks(JSON.stringify([selection]));
  const result = good(await b.cni('ADD', env, conf));
  assert.match(sh('ip -o addr show lan', pod), /10\.71\.0\.77\/24/);
  assert.match(sh('ip -o link show lan', pod), /02:00:00:00:00:77/);
  assert.deepEqual(
    sh('ip route show default', pod)
      .split('\n')
      .map((line) => line.trim().split(' ').slice(0, 5).join(' ')),
    ['default via 10.71.0.1 dev lan'],
  );
  assert.ok(!JSON.stringify(result.routes ?? []).includes('0.0.0.0/0'));
  good(await b.cni('DEL', env, conf));
});

test('polder-multi takes another default network where the pod names one', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env } = await multiNode(t);
  network('special', bridgeOn('br-special', '10.73.0.0/24'), 'kube-system');
  const conf = withNetworks('', { 'v1.multus-cni.io/default-network': 'special' });
  const result = good(await b.cni('ADD', env, conf));
  assert.equal((result.ips as { address: string }[])[0]?.address, '10.73.0.2/24');
  assert.deepEqual(linksOf(sh('ip -j link', pod)), ['eth0']);
  good(await b.cni('DEL', env, conf));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), []);
});

test('polder-multi works as a later plugin of a chain, and hands the result on', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  const first = { cniVersion: '1.1.0', name: 'cluster-net', type: 'polder' };
  const prevResult = good(await b.cni('ADD', env, first));
  const { delegates: _, ...conf } = withNetworks('blue');
  const result = good(await b.cni('ADD', env, { ...conf, prevResult }));
  assert.deepEqual(result, prevResult);
  assert.deepEqual(linksOf(sh('ip -j link', pod)), ['eth0', 'net1']);
  good(await b.cni('CHECK', env, { ...conf, prevResult }));
  good(await b.cni('GC', {}, { ...conf, cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] }));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), ['eth0']);
  good(await b.cni('DEL', env, conf));
  good(await b.cni('DEL', env, first));
  const alone = await b.cni('ADD', env, { ...conf, runtimeConfig: {}, delegates: undefined });
  assert.equal(alone.json?.code, 7, alone.stdout);
});

test('polder-multi reads a definition without a configuration from the node’s files', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env, dir } = await multiNode(t);
  network('on-disk', '');
  writeFileSync(join(dir, '10-x.conf'), JSON.stringify({ ...bridgeOn('br-disk', '10.74.0.0/24'), name: 'on-disk' }));
  const conf = { ...withNetworks('on-disk'), confDir: dir };
  good(await b.cni('ADD', env, conf));
  assert.match(sh('ip -o addr show net1', pod), /10\.74\.0\.2\/24/);
  good(await b.cni('DEL', env, conf));
});

test('polder-multi writes nothing down for a pod with the default network alone, and still CHECKs it', {
  skip,
}, async (t) => {
  const { b, pod, withNetworks, env, dir } = await multiNode(t);
  const conf = withNetworks('');
  const prevResult = good(await b.cni('ADD', env, conf));
  assert.equal(existsSync(join(dir, 'multi')), false);
  good(await b.cni('CHECK', env, { ...conf, prevResult }));
  sh('ip link set eth0 down', pod);
  assert.equal((await b.cni('CHECK', env, { ...conf, prevResult })).json?.code, 112);
  good(await b.cni('GC', {}, { ...conf, cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] }));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), ['eth0'], 'its own delegate speaks 1.0.0, which has no GC');
  good(await b.cni('DEL', env, conf));
  good(await b.cni('DEL', { ...env, CNI_NETNS: '' }, conf));
  assert.deepEqual(linksOf(sh('ip -j link', pod)), []);
});
