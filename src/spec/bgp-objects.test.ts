import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { DEFAULT_BGP } from '#spec/bgp.ts';
import { type BgpObjects, bgpFrom } from '#spec/bgp-objects.ts';
import type { BgpPeerObject } from '#spec/calico.ts';

const NONE: BgpObjects = { configurations: [], peers: [], filters: [] };
const named = (name: string) => ({ metadata: { name } });

test('bgpFrom: without objects Calico’s defaults hold', () => {
  assert.deepEqual(bgpFrom(NONE), { settings: DEFAULT_BGP, problems: [] });
});

test('bgpFrom: a BGPConfiguration’s fields, communities by name, and one node’s own', () => {
  const spec = {
    asNumber: '64512.1',
    nodeToNodeMeshEnabled: false,
    listenPort: 1790,
    bindMode: 'NodeIP',
    nodeMeshMaxRestartTime: '1m30s',
    nodeMeshPassword: { secretKeyRef: { name: 'bgp', key: 'mesh' } },
    serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
    serviceExternalIPs: [{ cidr: '203.0.113.7' }],
    communities: [{ name: 'blue', value: '65001:100' }],
    prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['blue', '65001:1:2'] }],
  };
  const own = { ...named('node.node2'), spec: { listenPort: 1791 } };
  const { settings, problems } = bgpFrom({ ...NONE, configurations: [own, { ...named('default'), spec }] });
  assert.deepEqual(problems, []);
  assert.deepEqual(settings.configuration, {
    ...DEFAULT_BGP.configuration,
    asNumber: 64_512 * 65_536 + 1,
    mesh: false,
    listenPort: 1790,
    bindMode: 'NodeIP',
    meshMaxRestartSeconds: 90,
    meshPassword: { name: 'bgp', key: 'mesh' },
    serviceClusterIps: ['10.96.0.0/12'],
    serviceExternalIps: ['203.0.113.7/32'],
    prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['65001:100', '65001:1:2'] }],
  });
  assert.deepEqual(settings.nodes, { node2: { listenPort: 1791 } });
});

test('bgpFrom: a BGPPeer’s fields, its port in all three spellings; workloads are no routers', () => {
  const spec = { peerIP: '192.168.1.2:1790', asNumber: 64_600 };
  const more = {
    ...spec,
    peerIP: '[fd00::2]:1791',
    nodeSelector: 'rack == "a"',
    nextHopMode: 'Keep',
    sourceAddress: 'None',
    maxRestartTime: '10s',
    numAllowedLocalASNumbers: 1,
    ttlSecurity: 2,
    failureDetectionMode: 'BFDIfDirectlyConnected',
    reachableBy: '192.168.1.1',
    filters: ['f'],
    password: { secretKeyRef: { name: 'bgp', key: 'tor' } },
  };
  const peers = [
    { ...named('b'), spec: more },
    { ...named('a'), spec },
    { ...named('c'), spec: { ...spec, peerIP: 'fd00::3' } },
    { ...named('w'), spec: { localWorkloadSelector: 'all()' } },
  ];
  const { settings, problems } = bgpFrom({ ...NONE, peers });
  const plain = { nextHop: 'auto', sourceAddress: 'UseNodeIP', filters: [], asNumber: 64_600 } as const;
  assert.deepEqual(problems, []);
  assert.deepEqual(settings.peers, [
    { name: 'a', ...plain, peerIp: '192.168.1.2', peerPort: 1790 },
    {
      name: 'b',
      ...plain,
      nodeSelector: 'rack == "a"',
      peerIp: parseAddr('fd00::2'),
      peerPort: 1791,
      nextHop: 'keep',
      sourceAddress: 'None',
      maxRestartSeconds: 10,
      numAllowedLocalAsNumbers: 1,
      ttlSecurity: 2,
      failureDetection: 'bfd',
      reachableBy: '192.168.1.1',
      filters: ['f'],
      password: { name: 'bgp', key: 'tor' },
    },
    { name: 'c', ...plain, peerIp: parseAddr('fd00::3') },
  ]);
});

test('bgpFrom: a rule of a BGPFilter that cannot be understood whole is left out and named', () => {
  const good = { action: 'Reject', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 24 } };
  const importV4 = [
    good,
    { ...good, asPathPrefix: [1] },
    { action: 'Maybe' },
    { action: 'Accept', cidr: '10.0.0.1/8' },
  ];
  const { settings, problems } = bgpFrom({ ...NONE, filters: [{ ...named('f'), spec: { importV4 } }] });
  assert.deepEqual(settings.filters, [
    {
      name: 'f',
      exportV4: [],
      importV4: [{ action: 'Reject', cidr: parsePrefix('10.0.0.0/8'), matchOperator: 'In', prefixLength: { min: 24 } }],
      exportV6: [],
      importV6: [],
    },
  ]);
  assert.deepEqual(problems, [
    'BGPFilter f: importV4[1]: "asPathPrefix" is not supported; the rule is left out',
    'BGPFilter f: importV4[2]: action "Maybe" is neither Accept nor Reject; the rule is left out',
    'BGPFilter f: importV4[3]: "10.0.0.1/8" is no network; the rule is left out',
  ]);
});

test('bgpFrom: nextHopMode wins over keepOriginalNextHop; localASNumber may be asdot; reversePeering', () => {
  const read = (spec: NonNullable<BgpPeerObject['spec']>) =>
    bgpFrom({ ...NONE, peers: [{ ...named('p'), spec }] }).settings.peers[0];
  assert.equal(read({ nextHopMode: 'Self', keepOriginalNextHop: true })?.nextHop, 'self');
  assert.equal(read({ nextHopMode: 'Auto', keepOriginalNextHop: true })?.nextHop, 'auto');
  assert.equal(read({ keepOriginalNextHop: true })?.nextHop, 'keep');
  assert.equal(read({ localASNumber: '1.10' })?.localAsNumber, 65_546);
  assert.equal(read({ reversePeering: 'Manual' })?.reversePeering, 'manual');
  assert.equal(read({ reversePeering: 'Auto' })?.reversePeering, undefined);
});

test('bgpFrom: networks and communities that are none are left out and named; an AS number out of range stays', () => {
  const spec = {
    asNumber: 0,
    serviceClusterIPs: [{ cidr: '10.96.0.0' }, { cidr: 'x' }],
    prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['blue'] }],
  };
  const { settings, problems } = bgpFrom({ ...NONE, configurations: [{ ...named('default'), spec }] });
  assert.equal(settings.configuration.asNumber, 0);
  assert.deepEqual(settings.configuration.prefixAdvertisements, [{ cidr: '10.0.0.0/8', communities: [] }]);
  assert.deepEqual(problems, [
    'BGPConfiguration default: serviceClusterIPs: "x" is no network; it is left out',
    'BGPConfiguration default: "blue" is no community, and communities names none so; it is left out',
  ]);
});
