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
