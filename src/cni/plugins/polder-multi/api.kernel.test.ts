import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noBed } from '#cni/testing/bed.ts';
import { POD_PATH } from '#cni/testing/fake-cluster.ts';
import { good, multiNode, NETWORKS } from '#cni/testing/multi-node.ts';

const skip = noBed();
const HASH = 'f3b1c0ffee';

test('polder-multi knows a static pod by the hash that its mirror carries', { skip }, async (t) => {
  const { b, cluster, network, bridgeOn, conf, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  const asStatic = { ...env, CNI_ARGS: env.CNI_ARGS.replace('K8S_POD_UID=u1', `K8S_POD_UID=${HASH}`) };
  const mirror = (key: string, hash: string) =>
    cluster.objects.set(POD_PATH, {
      metadata: { name: 'p1', namespace: 'web', uid: 'u1', annotations: { [NETWORKS]: 'blue', [key]: hash } },
    });
  for (const key of ['kubernetes.io/config.mirror', 'kubernetes.io/config.hash']) {
    mirror(key, HASH);
    good(await b.cni('ADD', asStatic, conf));
    good(await b.cni('DEL', asStatic, conf));
    mirror(key, 'of-another-file');
    const other = await b.cni('ADD', asStatic, conf);
    assert.deepEqual([other.json?.code, other.json?.msg], [11, 'Pod web/p1 is another one by now']);
  }
});

test('polder-multi is to be called again later for a pod that the API does not have', { skip }, async (t) => {
  const { b, cluster, conf, env } = await multiNode(t);
  cluster.objects.delete(POD_PATH);
  const answer = await b.cni('ADD', env, conf);
  const msg = 'The API does not have Pod web/p1, which names its networks';
  assert.deepEqual([answer.exit, answer.json?.code, answer.json?.msg], [1, 11, msg]);
});

test('polder-multi tells the pod by which gateway each of its networks leads out', { skip }, async (t) => {
  const { b, network, bridgeOn, bridges, statuses, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24', { isGateway: true }));
  const gateways = async (asked: string) => {
    const conf = bridges(asked);
    good(await b.cni('ADD', env, conf));
    good(await b.cni('DEL', env, conf));
    const status = statuses().at(-1) ?? {};
    return [status.eth0?.gateway, status.net1?.gateway];
  };
  assert.deepEqual(await gateways('blue'), [['10.60.0.1'], undefined]);
  const moved = (...ways: string[]) => gateways(JSON.stringify([{ name: 'blue', 'default-route': ways }]));
  assert.deepEqual(await moved('10.71.0.1'), [undefined, ['10.71.0.1']]);
  assert.deepEqual(await moved('10.71.0.1', '10.71.0.9'), [undefined, ['10.71.0.1', '10.71.0.9']]);
});

test('polder-multi tells the pod whenever it has more than the one default network', { skip }, async (t) => {
  const { b, network, bridgeOn, bridges, withNetworks, statuses, env } = await multiNode(t);
  network('special', bridgeOn('br-special', '10.73.0.0/24'), 'kube-system');
  const run = async (conf: object) => {
    good(await b.cni('ADD', env, conf));
    good(await b.cni('DEL', env, conf));
    return statuses().map((status) => Object.values(status).map(({ name }) => name));
  };
  assert.deepEqual(await run(bridges('')), []);
  const two = ['first', 'second'];
  assert.deepEqual(await run(bridges('', bridgeOn('br-second', '10.61.0.0/24', { name: 'second' }))), [two]);
  const other = withNetworks('', { 'v1.multus-cni.io/default-network': 'special' });
  assert.deepEqual(await run(other), [two, ['kube-system/special']]);
});

test('polder-multi tells no other pod of the same name, but the mirror of a static one', { skip }, async (t) => {
  const { b, cluster, network, bridgeOn, withNetworks, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  const run = async (more: object) => {
    const conf = withNetworks('blue', more);
    good(await b.cni('ADD', env, conf));
    good(await b.cni('DEL', env, conf));
    return cluster.patches.length;
  };
  assert.equal(await run({ 'kubernetes.io/config.source': 'api' }), 1);
  cluster.objects.set(POD_PATH, { metadata: { name: 'p1', namespace: 'web', uid: 'u2' } });
  assert.equal(await run({ 'kubernetes.io/config.source': 'api' }), 1, 'refused: the pod is another one by now');
  assert.equal(await run({ 'kubernetes.io/config.source': 'file' }), 2);
});
