import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noBed } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { good, multiNode } from '#cni/testing/multi-node.ts';

const skip = noBed();
const BY_BLUE = '[{"name":"blue","default-route":["10.71.0.1"]}]';

/** Ways out as `ip` prints them, without what the kernel adds. */
function defaults(text: string): string[] {
  return Array.from(text.matchAll(/default via \S+ dev \S+/g), ([way]) => way).sort();
}

test('CHECK holds after the default route was moved, and then wants it where it is', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, bridges, withNetworks, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24', { isDefaultGateway: true }));
  for (const conf of [bridges(BY_BLUE), withNetworks(BY_BLUE)]) {
    const prevResult = good(await b.cni('ADD', env, conf));
    assert.deepEqual(defaults(sh('ip route', pod)), ['default via 10.71.0.1 dev net1']);
    good(await b.cni('CHECK', env, { ...conf, prevResult }));
    sh('ip route del default', pod);
    const broken = await b.cni('CHECK', env, { ...conf, prevResult });
    assert.equal(broken.json?.code, 112);
    assert.match(String(broken.json?.msg), /route 0\.0\.0\.0\/0 via 10\.71\.0\.1 dev net1 is missing/);
    good(await b.cni('DEL', env, conf));
  }
});

test('CHECK of polder, before polder-multi in a chain, wants no default route that was moved', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24', { isGateway: true }));
  const first = { cniVersion: '1.0.0', name: 'cluster-net', type: 'polder' };
  const polderResult = good(await b.cni('ADD', env, first));
  const { delegates: _, ...conf } = withNetworks(BY_BLUE);
  const prevResult = good(await b.cni('ADD', env, { ...conf, prevResult: polderResult }));
  for (const plugin of [first, conf]) good(await b.cni('CHECK', env, { ...plugin, prevResult }));
  const before = await b.cni('CHECK', env, { ...first, prevResult: polderResult });
  assert.match(String(before.json?.msg), /route 0\.0\.0\.0\/0 via 10\.244\.1\.1 dev eth0 of the pod is missing/);
  good(await b.cni('DEL', env, conf));
  good(await b.cni('DEL', env, first));
  assert.deepEqual(defaults(sh('ip route', pod)), []);
});

test('CHECK takes what a plugin behind polder-multi made of the default network', { skip }, async (t) => {
  const { b, network, bridgeOn, bridges, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  const conf = bridges('blue');
  const own = good(await b.cni('ADD', env, conf));
  const tuning = { cniVersion: '1.1.0', name: conf.name, type: 'tuning', mac: '02:00:00:00:00:99', mtu: 1400 };
  const prevResult = good(await b.cni('ADD', env, { ...tuning, dataDir: b.dir, prevResult: own }));
  good(await b.cni('CHECK', env, { ...conf, prevResult }));
  assert.match(String((await b.cni('CHECK', env, { ...conf, prevResult: own })).json?.msg), /eth0 has MAC/);
  good(await b.cni('DEL', env, conf));
});

test('polder-multi moves the default route of each family by itself', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, bridges, env } = await multiNode(t);
  network('four', bridgeOn('br-four', '10.71.0.0/24', { isGateway: true }));
  network('six', bridgeOn('br-six', 'fd00:72::/64', { isGateway: true }));
  network('none', bridgeOn('br-none', '10.73.0.0/24'));
  const conf = bridges(
    JSON.stringify([
      { name: 'four', 'default-route': ['10.71.0.1'] },
      { name: 'six', 'default-route': ['fd00:72::1'] },
      { name: 'none', 'default-route': [] },
    ]),
  );
  const prevResult = good(await b.cni('ADD', env, conf));
  assert.deepEqual(defaults(sh('ip route; ip -6 route', pod)), [
    'default via 10.71.0.1 dev net1',
    'default via fd00:72::1 dev net2',
  ]);
  good(await b.cni('CHECK', env, { ...conf, prevResult }));
  good(await b.cni('DEL', env, conf));
});

test('CHECK holds where the default route goes by several gateways', { skip }, async (t) => {
  const { b, pod, network, bridgeOn, bridges, env } = await multiNode(t);
  network('blue', bridgeOn('br-blue', '10.71.0.0/24', { isGateway: true }));
  const conf = bridges('[{"name":"blue","default-route":["10.71.0.1","10.71.0.254"]}]');
  const prevResult = good(await b.cni('ADD', env, conf));
  assert.match(
    sh('ip route', pod),
    /default[\s\S]*nexthop via 10\.71\.0\.1 dev net1[\s\S]*nexthop via 10\.71\.0\.254 dev net1/,
  );
  good(await b.cni('CHECK', env, { ...conf, prevResult }));
  good(await b.cni('DEL', env, conf));
});
