import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcNodeState } from '#calc/routes/node-state.ts';
import type { NodeState, Underlay } from '#calc/state.ts';
import { BLOCKS, CLUSTERS, cluster, KEYS, node, pod, UNDERLAY } from '#calc/testing/clusters.ts';
import { parseAddr } from '#net/addr.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { PROFILES, type Snapshot } from '#spec/cluster.ts';
import { DEFAULT_FELIX, felixOf } from '#spec/felix.ts';
import { poolOf } from '#spec/pool.ts';

type Name = keyof typeof CLUSTERS;
type Features = Parameters<typeof calcNodeState>[2];

function state(snapshot: Snapshot, features?: Features, underlay: Underlay = UNDERLAY): NodeState {
  const outcome = calcNodeState(snapshot, underlay, features);
  if (outcome.kind !== 'ready') assert.fail(outcome.problem.sentence);
  return outcome.state;
}

/** Network -> how and where to. */
function ways({ peers }: NodeState): Record<string, string> {
  const where = (way: NodeState['peers'][number]['way']) => (way.kind === 'direct' ? way.via : way.remote);
  return Object.fromEntries(peers.map(({ network, way }) => [network, `${way.kind} ${where(way)}`]));
}

const codes = ({ problems }: NodeState) => problems.map(({ code, node: about }) => `${code} ${about}`);

test('a pool with IPIP always leads through tunl0 to the peers’ own addresses', () => {
  const ipip = state(CLUSTERS['calico-ipip']);
  assert.deepEqual(ways(ipip), {
    '10.244.2.0/26': 'ipip 192.168.1.102',
    '10.244.2.7/32': 'ipip 192.168.2.103',
    '10.244.3.0/26': 'ipip 192.168.2.103',
  });
  assert.deepEqual(ipip.tunnels, [
    {
      kind: 'ipip',
      device: 'tunl0',
      local: '192.168.1.101',
      underlay: 'eth0',
      addrs: ['10.244.1.0/32'],
      mtu: 1480,
      remotes: ['192.168.1.102', '192.168.2.103'],
      standIn: false,
    },
  ]);
  assert.equal(ipip.podMtu, 1480);
});

for (const [name, kind] of [
  ['calico-ipip across subnets', 'ipip'],
  ['calico-vxlan across subnets', 'vxlan'],
] as const) {
  test(`${name}: nodes of our subnet are reached directly, the others through the tunnel`, () => {
    assert.deepEqual(ways(state(CLUSTERS[name])), {
      '10.244.2.0/26': 'direct 192.168.1.102',
      '10.244.2.7/32': `${kind} 192.168.2.103`,
      '10.244.3.0/26': `${kind} 192.168.2.103`,
    });
  });
}

test('several pools each have their own way, and pods the smallest MTU of all', () => {
  const both = state(CLUSTERS['calico, VXLAN and IPIP']);
  assert.deepEqual(ways(both), {
    '10.244.2.0/26': 'vxlan 192.168.1.102',
    '10.244.201.0/26': 'direct 192.168.1.102',
    '10.244.2.7/32': 'vxlan 192.168.2.103',
    '10.244.202.0/26': 'ipip 192.168.2.103',
    '10.244.3.0/26': 'vxlan 192.168.2.103',
  });
  assert.deepEqual(
    both.tunnels.map(({ device, mtu }) => [device, mtu]),
    [
      ['tunl0', 1480],
      ['vxlan.calico', 1450],
    ],
  );
  assert.equal(both.podMtu, 1450);
  assert.deepEqual(both.masquerade, { from: ['10.244.0.0/17'], inside: ['10.244.0.0/17', '10.244.128.0/17'] });
});

test('an address borrowed from another node’s block leads to the borrower, and no blackhole stands in its place', () => {
  const { peers, blackholes } = state(CLUSTERS['calico-vxlan']);
  assert.equal(peers.find(({ network }) => network === '10.244.2.7/32')?.node, 'node3');
  assert.deepEqual(blackholes, ['10.244.1.0/26']);
});

test('an address that two nodes claim goes to the first by name', () => {
  const nodes = [...BLOCKS, node('node4', '192.168.1.104', '10.244.2.7/32', '10.244.2.9/32')];
  const found = state(cluster(PROFILES['calico-vxlan'], { nodes }));
  assert.deepEqual(codes(found), ['pod-cidr-overlap node4', 'pod-cidr-overlap node4']);
  assert.equal(found.peers.find(({ network }) => network === '10.244.2.7/32')?.node, 'node3');
});

test('IPIP carries no IPv6: pools of that family go directly', () => {
  const pools = [
    poolOf('four', parsePrefix('10.244.0.0/16'), { ipip: 'always' }),
    poolOf('six', parsePrefix('fd00:10:244::/48'), { ipip: 'always' }),
  ];
  const nodes = [1, 2].map((i) => ({
    ...node(`node${i}`, `192.168.1.10${i}`, `10.244.${i}.0/26`, `fd00:10:244:${i}::/122`),
    addrs: [parseAddr(`192.168.1.10${i}`), parseAddr(`fd00:192:168:1::10${i}`)],
  }));
  assert.deepEqual(ways(state(cluster(PROFILES['calico-ipip'], { nodes, pools }))), {
    '10.244.2.0/26': 'ipip 192.168.1.102',
    'fd00:10:244:2::/122': 'direct fd00:192:168:1::102',
  });
});

test('VXLAN over IPv6 takes 70 bytes and reaches nodes by their IPv6 addresses', () => {
  const nodes = [1, 2].map((i) => node(`node${i}`, `fd00:192:168:1::10${i}`, `fd00:10:244:${i}::/64`));
  const six = state(cluster(PROFILES.vxlan, { nodes, cidrs: ['fd00:10:244::/48'] }));
  assert.equal(six.podMtu, 1430);
  assert.deepEqual(ways(six), { 'fd00:10:244:2::/64': 'vxlan fd00:192:168:1::102' });
});

test('a network outside of every pool gets no route', () => {
  const nodes = [...BLOCKS, node('node4', '192.168.1.104', '10.9.0.0/26')];
  const found = state(cluster(PROFILES['calico-vxlan'], { nodes }));
  assert.deepEqual(codes(found), ['pod-cidr-outside-cluster node4']);
});

test('of two nodes with one address, or one VTEP MAC, the first by name keeps it, and we our own', () => {
  const shared = { vtepMac: '02:00:00:00:00:99' };
  const nodes = [
    node('node1', '192.168.1.101', '10.244.1.0/24'),
    { ...node('node2', '192.168.1.102', '10.244.2.0/24'), ...shared },
    node('node3', '192.168.1.102', '10.244.3.0/24'),
    { ...node('node4', '192.168.1.104', '10.244.4.0/24'), ...shared },
    node('a', '192.168.1.101', '10.244.5.0/24'),
  ];
  const found = state(cluster(PROFILES.vxlan, { nodes }));
  assert.deepEqual(codes(found), ['node-addr-taken a', 'node-addr-taken node3', 'vtep-mac-taken node4']);
  assert.deepEqual(
    found.peers.map((peer) => peer.node),
    ['node2'],
  );
  assert.match(found.problems[1]?.sentence ?? '', /Node node3 has the address 192\.168\.1\.102, .* node node2/);
  assert.deepEqual(
    codes(state(cluster(PROFILES['flannel-host-gw'], { nodes: nodes.filter(({ name }) => /[124]/.test(name)) }))),
    [],
  );
});

test('without IPIP in the kernel something stands in, and that is said', () => {
  const found = state(CLUSTERS['calico-ipip'], { ipip: false, wireguard: true });
  assert.equal(found.tunnels[0]?.kind === 'ipip' && found.tunnels[0].standIn, true);
  assert.deepEqual(codes(found), ['no-ipip node1']);
});

test('without WireGuard in the kernel nothing is encrypted, and that is said', () => {
  const found = state(CLUSTERS.wireguard, { ipip: true, wireguard: false });
  assert.deepEqual([found.wireguard, codes(found)], [[], ['no-wireguard node1']]);
});

test('WireGuard has a device a family, each with the peers that said a key', () => {
  const { wireguard, podMtu } = state(CLUSTERS['wireguard, both families']);
  assert.deepEqual(
    wireguard.map(({ device, port, mtu, peers }) => [device, port, mtu, peers.map((peer) => peer.endpoint)]),
    [
      ['wireguard.cali', 51820, 1440, ['192.168.1.102', '192.168.1.103']],
      ['wg-v6.cali', 51821, 1420, ['fd00:192:168:1::102', 'fd00:192:168:1::103']],
    ],
  );
  assert.equal(podMtu, 1420);
});

test('WireGuard shows whom it does not encrypt to, and keeps out of their way', () => {
  const found = state(CLUSTERS['wireguard over calico-ipip, node2 without a key']);
  const [device] = found.wireguard;
  assert.deepEqual(device?.plain, ['node2']);
  assert.deepEqual(codes(found), ['wireguard-key-missing node2']);
  assert.deepEqual(device?.peers[0]?.routes, ['10.244.2.7/32', '10.244.3.0/26', '10.244.3.0/32']);
  const lacking = cluster(PROFILES.wireguard, {
    nodes: BLOCKS.map((each, i) => (i === 1 ? { ...each, wireguardKeys: { 4: KEYS[1] } } : each)),
  });
  // Its own borrowed address alone: node3, which borrowed the other, is not spoken to in plain text.
  assert.deepEqual(state(lacking).wireguard[0]?.exceptions, ['10.244.2.9/32']);
});

test('WireGuard leads across subnets, where routes alone do not', () => {
  const nodes = BLOCKS.map((each, i) => ({ ...each, wireguardKeys: { 4: KEYS[i] ?? '' } }));
  const found = state(cluster(PROFILES.wireguard, { nodes }));
  assert.deepEqual(codes(found), []);
  assert.deepEqual(
    found.wireguard[0]?.peers.map((peer) => peer.node),
    ['node2', 'node3'],
  );
  const keyless = state(cluster(PROFILES.wireguard, { nodes: BLOCKS }));
  assert.deepEqual(codes(keyless).sort(), [
    'other-subnet node3',
    'other-subnet node3',
    'wireguard-key-missing node2',
    'wireguard-key-missing node3',
  ]);
});

test('WireGuard gives a key that two nodes said to the first, and our own to nobody', () => {
  const nodes = [1, 2, 3, 4].map((i) => ({
    ...node(`node${i}`, `192.168.1.10${i}`, `10.244.${i}.0/24`),
    wireguardKeys: { 4: KEYS[i === 4 ? 0 : Math.min(i, 2) - 1] ?? '' },
  }));
  const found = state(cluster(PROFILES.wireguard, { nodes }));
  assert.deepEqual(codes(found), ['wireguard-key-taken node3', 'wireguard-key-taken node4']);
  assert.deepEqual(found.wireguard[0]?.plain, []);
  assert.deepEqual(found.wireguard[0]?.closed, ['10.244.2.0/24', '10.244.3.0/24', '10.244.4.0/24']);
});

test('WireGuard leaves a node alone that has no key of its own yet', () => {
  const { local, ...rest } = CLUSTERS.wireguard;
  assert.deepEqual(state({ ...rest, local: { node: local.node, endpoints: [] } }).wireguard, []);
});

test('the fast path takes no way that is to be encrypted, nor IPIP’s', () => {
  const names: Name[] = ['wireguard', 'calico-ipip', 'calico-vxlan'];
  const quick = names.map((name) => {
    const { config, ...rest } = CLUSTERS[name];
    return state({ ...rest, config: { ...config, fastPath: true } }).fastPath?.ways.map(({ ifname }) => ifname);
  });
  assert.deepEqual(quick, [[], [], Array(3).fill('vxlan.calico')]);
});

test('settings of Felix win over the profile’s', () => {
  const wireguard = { ...DEFAULT_FELIX.wireguard, ports: { 4: 5555 }, devices: { 4: 'wg0' }, mtus: { 4: 1300 } };
  const found = state({ ...CLUSTERS.wireguard, felix: { ...DEFAULT_FELIX, wireguard } });
  const [device] = found.wireguard;
  assert.deepEqual([device?.device, device?.port, device?.mtu, found.podMtu], ['wg0', 5555, 1300, 1300]);
  assert.equal(device?.peers[0]?.port, 5555);
});

test('port and VNI of VXLAN are Felix’s where it sets them, one node’s own before all nodes’', () => {
  const objects = [
    { metadata: { name: 'default' }, spec: { vxlanPort: 8472, vxlanVNI: 7 } },
    { metadata: { name: 'node.node1' }, spec: { vxlanVNI: 8 } },
  ];
  const vxlan = (node: string) => {
    const felix = felixOf(objects, node);
    return state({ ...CLUSTERS.vxlan, felix }).tunnels.map((each) => each.kind === 'vxlan' && [each.port, each.vni]);
  };
  assert.deepEqual(vxlan('node1'), [[8472, 8]]);
  assert.deepEqual(vxlan('node2'), [[8472, 7]]);
});

test('MTUs of tunnels are Felix’s where it sets them, and one that does not fit is named', () => {
  const felix = { ...DEFAULT_FELIX, ipipMtu: 1400, vxlanMtus: { 4: 1470, 6: 1300 } };
  const found = state({ ...CLUSTERS['calico, VXLAN and IPIP'], felix });
  assert.deepEqual(
    found.tunnels.map(({ device, mtu }) => [device, mtu]),
    [
      ['tunl0', 1400],
      ['vxlan.calico', 1470],
    ],
  );
  assert.equal(found.podMtu, 1400);
  assert.match(
    found.problems.find(({ code }) => code === 'mtu-too-large')?.sentence ?? '',
    /MTU 1470 that is set for vxlan.calico is more than the 1450 that eth0 can carry/,
  );
});

test('calcNodeState of 2 000 nodes with four blocks each has a way to every one', () => {
  const many = Array.from({ length: 2000 }, (_, i) => {
    const blocks = [0, 1, 2, 3].map((k) => parsePrefix(`10.${i >> 8}.${i & 255}.${64 * k}/26`));
    const addr = parseAddr(`192.168.${i >> 8}.${i & 255}`);
    return { ...node(`node${i}`, addr), networks: blocks };
  });
  const pools = [poolOf('all', parsePrefix('10.0.0.0/8'), { vxlan: 'always' })];
  const snapshot = cluster(PROFILES['calico-vxlan'], { nodes: many, pools, endpoints: [pod(5)] });
  const underlay = { ...UNDERLAY, addrs: [parseIfAddr('192.168.0.1/16')] };
  const found = state({ ...snapshot, local: { node: 'node1', endpoints: [] } }, undefined, underlay);
  assert.equal(found.peers.length, 4 * 1999);
  assert.deepEqual(found.problems, []);
});
