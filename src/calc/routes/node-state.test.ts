import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { calcNodeState } from '#calc/routes/node-state.ts';
import { macOfNames } from '#calc/routes/vtep-mac.ts';
import type { NodeState } from '#calc/state.ts';
import { CLUSTERS, cluster, node, pod, UNDERLAY } from '#calc/testing/clusters.ts';
import { PROFILES, type Snapshot } from '#spec/cluster.ts';

function state(snapshot: Snapshot, underlay = UNDERLAY): NodeState {
  const outcome = calcNodeState(snapshot, underlay);
  if (outcome.kind !== 'ready') assert.fail(outcome.problem.sentence);
  return outcome.state;
}

test('calcNodeState leads to peers through the tunnel, from the first address of the node CIDR', () => {
  const { tunnels, peers, podMtu, bridge } = state(CLUSTERS.vxlan);
  assert.deepEqual(tunnels[0], {
    kind: 'vxlan',
    device: 'vxlan.polder',
    vni: 4096,
    port: 4789,
    local: '192.168.1.101',
    underlay: 'eth0',
    mac: macOfNames('node1', 'vtep'),
    addrs: ['10.244.1.0/32'],
    mtu: 1450,
  });
  const way = {
    kind: 'vxlan',
    device: 'vxlan.polder',
    vtep: '10.244.2.0',
    mac: macOfNames('node2', 'vtep'),
    remote: '192.168.1.102',
  };
  assert.deepEqual(peers[0], { node: 'node2', network: '10.244.2.0/24', way, route: 'agent' });
  assert.equal(podMtu, 1450);
  assert.equal(bridge, undefined);
});

test('calcNodeState routes to its own pods and drops what no pod has, where pods are routed', () => {
  const { pods, blackholes } = state(CLUSTERS.vxlan);
  assert.deepEqual(pods, [
    { addr: '10.244.1.5', ifname: 'cali5' },
    { addr: '10.244.1.6', ifname: 'cali6' },
  ]);
  assert.deepEqual(blackholes, ['10.244.1.0/24']);
});

test('calcNodeState gives the bridge the gateway of the node CIDR, and no routes of pods', () => {
  const { bridge, pods, blackholes, tunnels } = state(CLUSTERS['flannel-host-gw']);
  assert.deepEqual(bridge, { name: 'cni0', addrs: ['10.244.1.1/24'], mac: macOfNames('node1', 'cni0'), mtu: 1500 });
  assert.deepEqual([pods, blackholes, tunnels], [[], [], []]);
});

test('calcNodeState leads over node addresses under host-gw', () => {
  const way = { kind: 'direct', via: '192.168.1.102', ifname: 'eth0' };
  assert.deepEqual(state(CLUSTERS['flannel-host-gw']).peers[0], {
    node: 'node2',
    network: '10.244.2.0/24',
    way,
    route: 'agent',
  });
});

test('calcNodeState says which node host-gw cannot reach, and leaves the others alone', () => {
  const { peers, problems } = state(CLUSTERS['flannel-host-gw, node3 on another subnet']);
  assert.deepEqual(
    peers.map((peer) => peer.node),
    ['node2'],
  );
  assert.deepEqual(
    problems.map(({ code, node }) => [code, node]),
    [['other-subnet', 'node3']],
  );
  assert.match(
    problems[0]?.sentence ?? '',
    /Node node3 \(192\.168\.2\.103\) is not on the subnet of eth0 \(192\.168\.1\.101\/24\)/,
  );
});

test('calcNodeState gives a network that two nodes claim to the first by name', () => {
  const { peers, problems } = state(CLUSTERS['flannel-host-gw, two nodes claim one network']);
  assert.deepEqual(
    peers.map((peer) => peer.node),
    ['node2', 'node3'],
  );
  assert.deepEqual(
    problems.map(({ code, node }) => [code, node]),
    [['pod-cidr-overlap', 'node4']],
  );
});

test('calcNodeState never gives its own network away', () => {
  const nodes = [node('node1', '192.168.1.101', '10.244.1.0/24'), node('a', '192.168.1.102', '10.244.1.0/24')];
  assert.deepEqual(state(cluster(PROFILES.vxlan, { nodes })).peers, []);
});

test('calcNodeState finds the MTU from the underlay, less what the outer headers take', () => {
  const jumbo = { ...UNDERLAY, mtu: 9000 };
  assert.equal(state(CLUSTERS.vxlan, jumbo).podMtu, 8950);
  assert.equal(state(CLUSTERS.vxlan, jumbo).tunnels[0]?.mtu, 8950);
  assert.equal(state(CLUSTERS['flannel-host-gw'], jumbo).podMtu, 9000);
  assert.equal(state(CLUSTERS['vxlan, smaller MTU'], jumbo).podMtu, 1400);
});

test('calcNodeState does a set MTU that is too large, and says so', () => {
  const { podMtu, problems } = state(cluster(PROFILES.vxlan, { mtu: 1500 }));
  assert.equal(podMtu, 1500);
  assert.deepEqual(
    problems.map((problem) => problem.code),
    ['mtu-too-large'],
  );
});

test('calcNodeState says that the node address is not on the underlay', () => {
  const { problems } = state(CLUSTERS.vxlan, { ...UNDERLAY, addrs: [] });
  assert.deepEqual(
    problems.map((problem) => problem.code),
    ['node-addr-not-local'],
  );
});

test('calcNodeState waits for its Node and for its network', () => {
  const stranger = cluster(PROFILES.vxlan, { nodes: [node('node9', '192.168.1.109', '10.244.9.0/24')] });
  const bare = cluster(PROFILES.vxlan, { nodes: [node('node1', '192.168.1.101')] });
  const codes = [stranger, bare]
    .map((snapshot) => calcNodeState(snapshot, UNDERLAY))
    .map((o) => o.kind === 'waiting' && o.problem.code);
  assert.deepEqual(codes, ['node-unknown', 'no-pod-cidr']);
});

test('calcNodeState keeps the annotation of a node that has one', () => {
  const nodes = [
    node('node1', '192.168.1.101', '10.244.1.0/24'),
    { ...node('node2', '192.168.1.102', '10.244.2.0/24'), vtepMac: '02:00:00:00:00:99' },
  ];
  const way = state(cluster(PROFILES.vxlan, { nodes })).peers[0]?.way;
  assert.equal(way?.kind === 'vxlan' && way.mac, '02:00:00:00:00:99');
});

test('calcNodeState depends on what the lists hold, not on their order or repetition', () => {
  const names = fc.constantFrom(...(Object.keys(CLUSTERS) as (keyof typeof CLUSTERS)[]));
  fc.assert(
    fc.property(names, fc.infiniteStream(fc.nat(100)), fc.boolean(), (name, keys, twice) => {
      const whole: Snapshot = CLUSTERS[name];
      const shuffled = <T>(items: readonly T[]): T[] =>
        [...items, ...(twice ? items : [])]
          .map((item) => ({ item, key: keys.next().value ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ item }) => item);
      const local = { ...whole.local, endpoints: shuffled(whole.local.endpoints) };
      assert.deepEqual(state({ ...whole, nodes: shuffled(whole.nodes), local }), state(whole));
    }),
  );
});

test('macOfNames is a local unicast address that stays and differs by name and by thing', () => {
  assert.equal(macOfNames('node1', 'vtep'), macOfNames('node1', 'vtep'));
  const macs = Array.from({ length: 1000 }, (_, i) => [
    macOfNames(`node${i}`, 'vtep'),
    macOfNames(`node${i}`, 'cni0'),
  ]).flat();
  assert.equal(new Set(macs).size, 2000);
  assert.ok(macs.every((mac) => (Number.parseInt(mac.slice(0, 2), 16) & 3) === 2));
});

test('calcNodeState lists pods by address, whatever their number', () => {
  const endpoints = [pod(9), pod(5), pod(7)];
  assert.deepEqual(
    state(cluster(PROFILES.vxlan, { endpoints })).pods.map((p) => p.ifname),
    ['cali5', 'cali7', 'cali9'],
  );
});
