import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Log } from '#cni/log.ts';
import { noBed } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { networkPath } from '#cni/testing/fake-cluster.ts';
import { good, linksOf, multiNode } from '#cni/testing/multi-node.ts';

const skip = noBed();

/** A pod with eth0, net1 of `blue` and net2 of `red`, whose file is broken since. */
async function brokenPod(t: TestContext) {
  const node = await multiNode(t);
  const { b, cluster, network, bridgeOn, bridges, env, dir, pod } = node;
  const said: string[] = [];
  const log: Log = {
    info() {},
    error() {},
    warn: (fields, message) => said.push(`${message} ${JSON.stringify(fields)}`),
  };
  await b.restart({ kubeconfig: cluster.kubeconfig, coolDownMs: 0, log });
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  network('red', bridgeOn('br-red', '10.72.0.0/24'));
  const conf = bridges('blue,red');
  const prevResult = good(await b.cni('ADD', env, conf));
  const file = join(dir, 'multi/c1-eth0.json');
  writeFileSync(file, '{"network":"cluster-net","conta');
  const addresses = ['first/10.60.0.2', 'blue/10.71.0.2', 'red/10.72.0.2'];
  const left = () => ({
    links: linksOf(sh('ip -j link', pod)),
    addresses: addresses.filter((one) => existsSync(join(dir, 'networks', one))),
    files: readdirSync(join(dir, 'multi')),
  });
  return { ...node, conf, prevResult, said, left };
}

const NOTHING = { links: [], addresses: [], files: [] };

test('DEL of a pod whose file is broken takes all networks that its annotation names, and says so', {
  skip,
}, async (t) => {
  const { b, env, conf, prevResult, said, left } = await brokenPod(t);
  good(await b.cni('DEL', env, { ...conf, prevResult }));
  assert.deepEqual(left(), NOTHING);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /what was written down .* cannot be read .*c1-eth0\.json.*JSON/);
});

test('DEL of a pod whose file is broken takes what can be known, and logs what cannot', { skip }, async (t) => {
  const { b, cluster, env, conf, said, left } = await brokenPod(t);
  cluster.objects.delete(networkPath('web', 'blue'));
  good(await b.cni('DEL', env, conf));
  assert.deepEqual(left(), { links: ['net1'], addresses: ['blue/10.71.0.2'], files: [] });
  assert.match(said.join('\n'), /may be left behind .*no NetworkAttachmentDefinition web\/blue/);
});

test('DEL of a pod whose file is broken takes the networks of the configuration without the API', {
  skip,
}, async (t) => {
  const { b, cluster, env, conf, said, left } = await brokenPod(t);
  await cluster.close();
  const { runtimeConfig: _, ...bare } = conf;
  good(await b.cni('DEL', env, bare));
  const { links, addresses } = left();
  assert.deepEqual(
    [links, addresses],
    [
      ['net1', 'net2'],
      ['blue/10.71.0.2', 'red/10.72.0.2'],
    ],
  );
  assert.match(said.join('\n'), /may be left behind/);
});

test('GC asks no delegate while the file of a living pod is broken, and leaves a stranger’s file', {
  skip,
}, async (t) => {
  const { b, env, conf, prevResult, said, left, dir } = await brokenPod(t);
  const before = left();
  const valid = { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] };
  good(await b.cni('GC', {}, { ...conf, ...valid }));
  good(await b.cni('CHECK', env, { ...conf, prevResult }));
  assert.deepEqual(left(), before);
  assert.equal(said.length, 2);
  good(await b.cni('DEL', env, conf));

  writeFileSync(join(dir, 'multi/c9-eth0.json'), '');
  good(await b.cni('GC', {}, { ...conf, 'cni.dev/valid-attachments': [] }));
  assert.deepEqual(left(), { ...NOTHING, files: ['c9-eth0.json'] });
});
