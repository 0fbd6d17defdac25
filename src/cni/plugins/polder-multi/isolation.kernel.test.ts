import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noBed } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { good, linksOf, multiNode } from '#cni/testing/multi-node.ts';

const skip = noBed();
const DEFAULT_NETWORK = 'v1.multus-cni.io/default-network';

test('namespaceIsolation refuses a network of another namespace, and names it', { skip }, async (t) => {
  const { b, cluster, pod, network, bridgeOn, withNetworks, env } = await multiNode(t);
  const homes = ['web', 'default', 'other', 'shared', 'kube-system'];
  homes.forEach((home, i) => {
    network('blue', bridgeOn(`br-${i}`, `10.71.${i}.0/24`), home);
  });
  const codeOf = async (conf: object) => {
    const { json } = await b.cni('ADD', env, conf);
    if (json?.code !== undefined) assert.deepEqual(linksOf(sh('ip -j link', pod)), []);
    good(await b.cni('DEL', env, conf));
    return [json?.code, String(json?.msg ?? '')] as const;
  };
  const allowed = async (more: object) => {
    const taken: string[] = [];
    for (const home of homes) {
      const [code] = await codeOf({ ...withNetworks(`${home}/blue`), ...more });
      if (code === undefined) taken.push(home);
    }
    return taken;
  };
  assert.deepEqual(await allowed({}), homes);
  assert.deepEqual(await allowed({ namespaceIsolation: false }), homes);
  assert.deepEqual(await allowed({ namespaceIsolation: true }), ['web', 'default']);
  const globalNamespaces = 'shared, other';
  assert.deepEqual(await allowed({ namespaceIsolation: true, globalNamespaces }), ['web', 'other', 'shared']);

  const asked = cluster.requests.length;
  const [code, msg] = await codeOf({ ...withNetworks('blue, other/blue'), namespaceIsolation: true });
  assert.equal(code, 7);
  assert.match(msg, /namespace web may not have the network other\/blue/);
  assert.equal(cluster.requests.length, asked, 'what the pod may not have is not even read');
});

test('namespaceIsolation lets a pod choose its default network from the cluster’s, and from its own', {
  skip,
}, async (t) => {
  const { b, network, bridgeOn, withNetworks, env } = await multiNode(t);
  for (const home of ['web', 'other', 'kube-system']) network('special', bridgeOn('br-s', '10.73.0.0/24'), home);
  const code = async (name: string) => {
    const conf = { ...withNetworks('', { [DEFAULT_NETWORK]: name }), namespaceIsolation: true };
    const { json } = await b.cni('ADD', env, conf);
    good(await b.cni('DEL', env, conf));
    return json?.code;
  };
  assert.deepEqual(
    [await code('special'), await code('web/special'), await code('other/special')],
    [undefined, undefined, 7],
  );
});

test('polder-multi refuses the keys of Multus that stand in the place of delegates', { skip }, async (t) => {
  const { b, conf, env } = await multiNode(t);
  for (const more of [{ clusterNetwork: 'flannel' }, { defaultNetworks: ['sidecar'] }]) {
    for (const command of ['ADD', 'STATUS']) {
      const { json } = await b.cni(command, command === 'ADD' ? env : {}, { ...conf, ...more });
      assert.equal(json?.code, 7);
      assert.match(String(json?.msg), new RegExp(`${Object.keys(more)[0]} is not supported`));
    }
    good(await b.cni('DEL', env, { ...conf, ...more }));
  }
  const empty = { clusterNetwork: '', defaultNetworks: [], systemNamespaces: ['admin'] };
  good(await b.cni('ADD', env, { ...conf, ...empty }));
  good(await b.cni('DEL', env, { ...conf, ...empty }));
});
