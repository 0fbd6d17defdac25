import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '#feed/api-error.ts';
import { Reflector } from '#feed/reflector.ts';
import { SnapshotFeed } from '#feed/snapshot.ts';
import { loadSnapshot, readSnapshot, saveSnapshot } from '#feed/snapshot-file.ts';
import { FakeApi, ManualClock, settle } from '#feed/testing.ts';
import { parsePrefix } from '#net/prefix.ts';
import { give, newBlock, writeBlock } from '#spec/block.ts';
import type {
  BgpConfigurationObject,
  BgpFilterObject,
  BgpPeerObject,
  FelixConfiguration,
  IpamBlock,
  IpPool,
} from '#spec/calico.ts';
import type { ClusterNode, Snapshot, Synced } from '#spec/cluster.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import type { ConfigMap, Node } from '#spec/k8s.ts';
import type { EndpointSlice, Service } from '#spec/services.ts';

const node = (index: number, extra: Partial<Node['metadata']> = {}): Node => ({
  metadata: { name: `node${index}`, ...extra },
  spec: { podCIDR: `10.244.${index}.0/24`, podCIDRs: [`10.244.${index}.0/24`] },
  status: {
    addresses: [
      { type: 'Hostname', address: `node${index}` },
      { type: 'InternalIP', address: `192.168.1.10${index}` },
    ],
  },
});

const settings = (data: Record<string, string>): ConfigMap => ({
  metadata: { namespace: 'kube-system', name: 'polder-config' },
  data,
});

function setUp() {
  const nodes = new FakeApi<Node>();
  const config = new FakeApi<ConfigMap>();
  const pools = new FakeApi<IpPool>();
  const blocks = new FakeApi<IpamBlock>();
  const felix = new FakeApi<FelixConfiguration>();
  const bgpConfigurations = new FakeApi<BgpConfigurationObject>();
  const bgpPeers = new FakeApi<BgpPeerObject>();
  const bgpFilters = new FakeApi<BgpFilterObject>();
  const services = { services: new FakeApi<Service>(), slices: new FakeApi<EndpointSlice>() };
  const clock = new ManualClock();
  const endpoints: LocalEndpoint[] = [];
  const problems: (readonly string[])[] = [];
  const options = {
    node: 'node1',
    endpoints: () => [...endpoints],
    clock,
    onProblems: (p: readonly string[]) => problems.push(p),
  };
  const shared = {
    nodes: new Reflector(nodes, options),
    pools: new Reflector(pools, options),
    blocks: new Reflector(blocks, options),
  };
  const feed = new SnapshotFeed(
    { ...shared, settings: config, felix, bgpConfigurations, bgpPeers, bgpFilters, services },
    options,
  );
  const heard: string[] = [];
  feed.onSnapshot((s) => heard.push(`${s.config.profile.name} ${s.nodes.map((n) => n.name).join(' ')}`));
  const stop = new AbortController();
  const start = () => {
    const running = feed.run(stop.signal);
    return {
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
      },
    };
  };
  return {
    nodes,
    config,
    pools,
    blocks,
    felix,
    bgpConfigurations,
    bgpPeers,
    services,
    clock,
    endpoints,
    problems,
    feed,
    heard,
    start,
  };
}

/** What the snapshot says of `node(index)`, less its networks. */
function known(index: number) {
  const addr = `192.168.1.${100 + index}`;
  return { name: `node${index}`, addr, addrs: [addr], labels: {} };
}

test('no snapshot before every list has ended', async () => {
  const { nodes, config, clock, feed, heard, start } = setUp();
  nodes.put(node(1));
  config.put(settings({}));
  config.down();
  await using _ = start();
  await clock.advance(50);
  assert.deepEqual(heard, []);
  config.up();
  await clock.advance(1_000);
  await clock.advance(5);
  assert.deepEqual(feed.current?.nodes, [{ ...known(1), networks: ['10.244.1.0/24'] }]);
});

test('a burst gives one snapshot and a heartbeat none', async () => {
  const { nodes, config, clock, heard, start } = setUp();
  config.put(settings({}));
  for (const index of [2, 1, 3]) nodes.put(node(index));
  await using _ = start();
  await clock.advance(5);
  nodes.put({ ...node(2), metadata: { ...node(2).metadata, annotations: { beat: '2' } } });
  await clock.advance(5);
  nodes.put(node(4));
  nodes.remove('node3');
  await clock.advance(5);
  assert.deepEqual(heard, ['vxlan node1 node2 node3', 'vxlan node1 node2 node4']);
});

test('endpoints of this node are part of the snapshot', async () => {
  const { config, clock, feed, endpoints, start } = setUp();
  config.put(settings({}));
  await using _ = start();
  await clock.advance(5);
  endpoints.push({ containerId: 'c1' } as LocalEndpoint);
  feed.endpointsChanged();
  await clock.advance(5);
  assert.deepEqual(feed.current?.local, { node: 'node1', endpoints: [{ containerId: 'c1' }] });
});

test('settings that turn wrong or vanish leave the last in force, and say so', async () => {
  const { config, clock, feed, problems, start } = setUp();
  config.put(settings({ profile: 'flannel-host-gw', mtv: '1' }));
  await using _ = start();
  await clock.advance(5);
  config.put(settings({ profile: 'nonsense' }));
  await clock.advance(5);
  config.remove('kube-system/polder-config');
  await clock.advance(5);
  assert.equal(feed.current?.config.profile.name, 'flannel-host-gw');
  assert.match(problems[0]?.[0] ?? '', /unknown key "mtv" is ignored \(did you mean "mtu"\?\)/);
  assert.match(problems[1]?.[0] ?? '', /profile: "nonsense" is no profile.*the last settings stay in force/);
  assert.match(problems[2]?.[0] ?? '', /polder-config is missing: the last settings stay in force/);
});

test('without settings there is no snapshot but a sentence', async () => {
  const { nodes, clock, feed, problems, start } = setUp();
  nodes.put(node(1));
  await using _ = start();
  await clock.advance(5);
  assert.equal(feed.current, undefined);
  assert.deepEqual(problems, [['ConfigMap kube-system/polder-config is missing: nothing is done until it is there']]);
});

test('nodes that cannot be used are left out or cut down, each with a sentence', async () => {
  const { nodes, config, clock, feed, problems, start } = setUp();
  config.put(settings({}));
  nodes.put({ metadata: { name: 'bare' } });
  nodes.put({
    ...node(1, { annotations: { 'polder.dev/vtep-mac': 'x' } }),
    spec: { podCIDRs: ['10.244.1.1/24', 'fd00:1::/64', '10.9.0.0/24'] },
  });
  nodes.put(node(2, { annotations: { 'polder.dev/vtep-mac': '02:00:00:00:00:0A' } }));
  await using _ = start();
  await clock.advance(5);
  assert.deepEqual(feed.current?.nodes, [
    { ...known(1), networks: ['10.9.0.0/24', 'fd00:1::/64'] },
    { ...known(2), networks: ['10.244.2.0/24'], vtepMac: '02:00:00:00:00:0a' },
  ]);
  assert.deepEqual(problems.at(-1), [
    'node bare has no InternalIP: it is left out',
    'node node1: podCIDR "10.244.1.1/24" is no network',
    'node node1: polder.dev/vtep-mac "x" is no Ethernet address',
  ]);
});

test('a saved snapshot is read back the same, with the local part of now', async () => {
  const { nodes, config, clock, feed, start } = setUp();
  config.put(settings({ profile: 'flannel-vxlan', mtu: '1400' }));
  nodes.put(node(1, { annotations: { 'polder.dev/vtep-mac': '02:00:00:00:00:0a' } }));
  await using _ = start();
  await clock.advance(5);
  await settle();
  const directory = mkdtempSync(join(tmpdir(), 'pt-feed-'));
  try {
    const path = join(directory, 'cluster.json');
    assert.equal(loadSnapshot(path, { node: 'node1', endpoints: [] }), undefined);
    assert.ok(feed.current);
    saveSnapshot(path, feed.objects(), 1234);
    const stale = loadSnapshot(path, { node: 'node9', endpoints: [] });
    const deletes = (complete: Synced<Snapshot>) => complete;
    // @ts-expect-error nothing may be deleted by a stale snapshot: this must not compile
    if (stale) deletes(stale);
    assert.deepEqual(stale, { ...feed.current, local: { node: 'node9', endpoints: [] }, savedAt: 1234 });
    assert.equal(readSnapshot(readFileSync(path, 'utf8').slice(0, 40), { node: 'node1', endpoints: [] }), undefined);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('readSnapshot answers any JSON with undefined or whole nodes', () => {
  const local = { node: 'node1', endpoints: [] };
  const meta = fc.record({ name: fc.string(), labels: fc.jsonValue() }, { requiredKeys: [] });
  const nodes = fc.array(fc.record({ metadata: meta, status: fc.jsonValue() }, { requiredKeys: [] }));
  const objects = fc.record({ nodes, settings: fc.constant({}), pools: fc.constant([]), blocks: fc.jsonValue() });
  fc.assert(
    fc.property(
      fc.oneof(fc.jsonValue(), fc.record({ version: fc.constant(3), savedAt: fc.nat(), objects })),
      (value) => {
        const read = readSnapshot(JSON.stringify(value), local);
        for (const each of read?.nodes ?? ([] as ClusterNode[]))
          assert.ok(each.name !== undefined && each.addr !== undefined);
      },
    ),
  );
});

test('a FelixConfiguration holds for all nodes, a node’s own before it', async () => {
  const { nodes, config, felix, clock, feed, start } = setUp();
  nodes.put(node(1));
  config.put(settings({}));
  felix.put({ metadata: { name: 'default' }, spec: { wireguardEnabled: true, wireguardListeningPort: 5000 } });
  felix.put({ metadata: { name: 'node.node1' }, spec: { wireguardListeningPort: 6000, wireguardKeepAlive: '1m30s' } });
  felix.put({ metadata: { name: 'node.node2' }, spec: { wireguardMTU: 1200 } });
  await using _ = start();
  await clock.advance(5);
  const { wireguard } = feed.current?.felix ?? assert.fail('no snapshot');
  assert.deepEqual(
    [wireguard.enabled, wireguard.ports, wireguard.keepalive, wireguard.mtus],
    [{ 4: true, 6: false }, { 4: 6000 }, 90, {}],
  );
});

test('with pools the blocks say which networks lead to a node, and addresses that it borrowed', async () => {
  const { nodes, config, pools, blocks, clock, feed, start } = setUp();
  for (const index of [1, 2]) nodes.put(node(index));
  config.put(settings({ profile: 'calico-vxlan' }));
  pools.put({ metadata: { name: 'default-ipv4-ippool' }, spec: { cidr: '10.244.0.0/16', vxlanMode: 'Always' } });
  const lent = give(newBlock(parsePrefix('10.244.7.0/30'), 'node1'), [2], { handle: 'n.c', node: 'node2', notes: {} });
  blocks.put(writeBlock(lent));
  blocks.put(writeBlock(newBlock(parsePrefix('10.244.9.0/30'), 'node2')));
  await using _ = start();
  await clock.advance(5);
  assert.deepEqual(
    feed.current?.nodes.map(({ networks }) => networks),
    [['10.244.7.0/30'], ['10.244.7.2/32', '10.244.9.0/30']],
  );
  assert.deepEqual(
    feed.current?.pools.map(({ name, vxlan }) => [name, vxlan]),
    [['default-ipv4-ippool', 'always']],
  );
});

test('BGPPeers are part of the snapshot, and what of them is wrong is said', async () => {
  const { config, bgpPeers, clock, feed, start } = setUp();
  config.put(settings({}));
  await using _ = start();
  await clock.advance(5);
  assert.deepEqual(feed.current?.bgp.peers, []);
  bgpPeers.put({ metadata: { name: 'tor' }, spec: { peerIP: '192.168.1.2', asNumber: 64_600 } });
  await clock.advance(5);
  assert.deepEqual(
    feed.current?.bgp.peers.map(({ name, peerIp, asNumber }) => `${name} ${peerIp} ${asNumber}`),
    ['tor 192.168.1.2 64600'],
  );
});

const LOCAL_SERVICE: Service = {
  metadata: { namespace: 'default', name: 'web' },
  spec: { externalTrafficPolicy: 'Local', clusterIP: '10.96.0.7', externalIPs: ['203.0.113.7'] },
};
const sliceOn = (...nodes: string[]): EndpointSlice => ({
  metadata: { namespace: 'default', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: nodes.map((nodeName) => ({ addresses: ['10.244.1.2'], nodeName })),
});

test('Services are followed only while BGP says something of them, and only what concerns this node makes a snapshot', async () => {
  const { config, bgpConfigurations, services, clock, feed, heard, start } = setUp();
  const said = () => feed.current?.services;
  config.put(settings({ profile: 'calico-bgp' }));
  services.services.put(LOCAL_SERVICE);
  services.slices.put(sliceOn('node1', 'node2'));
  await using _ = start();
  await clock.advance(5);
  assert.equal(said(), undefined);
  assert.deepEqual([...services.services.calls, ...services.slices.calls], []);

  const spec = { serviceExternalIPs: [{ cidr: '203.0.113.0/24' }] };
  bgpConfigurations.put({ metadata: { name: 'default' }, spec });
  await clock.advance(5);
  await clock.advance(5);
  assert.deepEqual(said()?.externalIps, ['203.0.113.7']);
  assert.deepEqual(feed.objects().services?.slices[0]?.endpoints?.length, 1, 'what is kept on disk is this node’s');

  const before = heard.length;
  services.services.put({ metadata: { namespace: 'default', name: 'other' }, spec: { clusterIP: '10.96.0.8' } });
  services.slices.put(sliceOn('node1'));
  await clock.advance(5);
  assert.equal(heard.length, before, 'another node’s endpoint has gone');
  services.slices.put(sliceOn('node2'));
  await clock.advance(5);
  assert.deepEqual(said()?.externalIps, []);

  bgpConfigurations.remove('default');
  await clock.advance(5);
  assert.equal(said(), undefined);
});

test('Services that may not be listed are said to be so, and hold up nothing', async () => {
  const { config, bgpConfigurations, services, clock, feed, problems, start } = setUp();
  config.put(settings({ profile: 'calico-bgp' }));
  const forbidden = async () => {
    throw new ApiError('services', { kind: 'Status', code: 403, reason: 'Forbidden' });
  };
  Object.assign(services.services, { list: forbidden });
  bgpConfigurations.put({ metadata: { name: 'default' }, spec: { serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] } });
  await using _ = start();
  await clock.advance(5);
  await clock.advance(5);
  assert.equal(feed.current?.config.profile.name, 'calico-bgp');
  assert.match(problems.flat().join('\n'), /does not let this node list services: .*Local are not announced/);
});
