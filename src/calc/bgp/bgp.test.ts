import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { calcBgp } from '#calc/bgp/bgp.ts';
import { birdConf } from '#calc/bgp/bird-conf.ts';
import { exportFilter, importFilter, kernelFilter } from '#calc/bgp/filters.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import { calcNodeState } from '#calc/routes/node-state.ts';
import { BGP_CLUSTERS, bgpCluster, bgpNode, peer } from '#calc/testing/bgp-clusters.ts';
import { UNDERLAY } from '#calc/testing/clusters.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { Snapshot } from '#spec/cluster.ts';
import { poolOf } from '#spec/pool.ts';
import type { WayKind } from '#spec/ways.ts';
import { evaluate, type RouteFacts } from '#wire/bird/filter.ts';
import { printConf } from '#wire/bird/print-conf.ts';

function outcome(snapshot: Snapshot) {
  const self = snapshot.nodes.find(({ name }) => name === snapshot.local.node);
  assert.ok(self);
  return calcBgp(snapshot, self, UNDERLAY);
}

function state(snapshot: Snapshot): BgpState {
  const { state: found, problems } = outcome(snapshot);
  assert.ok(found, problems[0]?.sentence);
  return found;
}

function sessions(snapshot: Snapshot): string[] {
  return state(snapshot).sessions.map(({ name, type, asNumber }) => `${name} ${type} ${asNumber}`);
}

function facts(net: string, more: Partial<RouteFacts> = {}): RouteFacts {
  return { net: parsePrefix(net), source: 'bgp', proto: 'Mesh_192_168_1_102', asPath: [], ...more };
}

test('calcBgp meshes every node with every other one, in each family that both have', () => {
  assert.deepEqual(sessions(BGP_CLUSTERS.mesh), [
    'Mesh_192_168_1_102 node-to-node mesh 64512',
    'Mesh_192_168_1_103 node-to-node mesh 64512',
  ]);
  assert.deepEqual(sessions(BGP_CLUSTERS['both families']), [
    'Mesh_192_168_1_102 node-to-node mesh 64512',
    'Mesh_fd00__102 node-to-node mesh 64512',
  ]);
});

test('calcBgp leaves the mesh to BGPPeers where it is off', () => {
  assert.deepEqual(sessions(bgpCluster({ bgp: { configuration: { mesh: false } } })), []);
});

test('calcBgp takes route reflectors out of the mesh; their clients are known by selector', () => {
  const asClient = BGP_CLUSTERS['route reflector'];
  assert.deepEqual(sessions(asClient), ['Node_192_168_1_103 node specific 64512']);
  assert.equal(state(asClient).sessions[0]?.rrClusterId, undefined);
  const reflector = state({ ...asClient, local: { ...asClient.local, node: 'node3' } });
  assert.deepEqual(
    reflector.sessions.map(({ name, rrClusterId }) => [name, rrClusterId]),
    [
      ['Node_192_168_1_101', '244.0.0.1'],
      ['Node_192_168_1_102', '244.0.0.1'],
    ],
  );
});

test('calcBgp: two reflectors of one cluster are no clients of each other', () => {
  const clusterId = { routeReflectorClusterId: parseAddr('244.0.0.1'), labels: { rr: 'true' } };
  const nodes = [bgpNode('node1', 1, clusterId), bgpNode('node2', 2, clusterId)];
  const peers = [peer('rr', { nodeSelector: "rr == 'true'", peerSelector: "rr == 'true'" })];
  const [session] = state(bgpCluster({ nodes, bgp: { peers } })).sessions;
  assert.equal(session?.addr, '192.168.1.102');
  assert.equal(session?.rrClusterId, undefined);
});

/** What each of two nodes says of its one session, as BIRD reads it. */
function bothSides(more: Parameters<typeof peer>[1]): string[] {
  const nodes = [bgpNode('node1', 1, { labels: { side: 'a' } }), bgpNode('node2', 2, { labels: { side: 'b' } })];
  const peers = [peer('p', { nodeSelector: 'side == "a"', peerSelector: 'side == "b"', ...more })];
  const snapshot = bgpCluster({ nodes, bgp: { peers, configuration: { mesh: false } } });
  return ['node1', 'node2'].map((node) => {
    const { conf } = birdConf(state({ ...snapshot, local: { ...snapshot.local, node } }), () => undefined);
    const session = conf.protocols.find(({ kind }) => kind === 'bgp');
    if (session?.kind !== 'bgp' || !('asNumber' in session.neighbor)) return 'nobody';
    const said = session.channels.map(({ nextHop }) => (nextHop === undefined ? '' : `, next hop ${nextHop}`));
    return `${session.local.asNumber} with ${session.neighbor.asNumber}${said.join()}`;
  });
}

test('calcBgp: with reversePeering Manual only the nodes that the BGPPeer is for speak by it', () => {
  assert.deepEqual(bothSides({}), ['64512 with 64512', '64512 with 64512']);
  assert.deepEqual(bothSides({ reversePeering: 'manual' }), ['64512 with 64512', 'nobody']);
});

test('calcBgp: localASNumber is the node’s AS number on that session alone, and those that it speaks with expect it', () => {
  assert.deepEqual(bothSides({ localAsNumber: 65_001 }), ['65001 with 64512', '64512 with 65001']);
  const both = { localAsNumber: 65_001, nodeSelector: 'all()', peerSelector: 'all()' };
  assert.deepEqual(bothSides(both), ['65001 with 65001', '65001 with 65001']);
  const snapshot = bgpCluster({ bgp: { peers: [peer('p', { peerSelector: 'all()', localAsNumber: 0 })] } });
  assert.match(outcome(snapshot).problems[0]?.sentence ?? '', /BGPPeer p has AS number 0, which is out of range/);
});

test('calcBgp: nextHopMode Self is said to every peer, Keep to those of another AS, which BIRD would not keep it for', () => {
  assert.deepEqual(bothSides({ nextHop: 'self' }), [
    '64512 with 64512, next hop self',
    '64512 with 64512, next hop self',
  ]);
  assert.deepEqual(bothSides({ nextHop: 'keep' }), ['64512 with 64512', '64512 with 64512']);
  const keep = bothSides({ nextHop: 'keep', localAsNumber: 65_001 });
  assert.deepEqual(keep, ['65001 with 64512, next hop keep', '64512 with 65001, next hop keep']);
});

test('calcBgp: a BGPPeer is for all nodes, for one, or for those that are selected', () => {
  const tor = { peerIp: parseAddr('192.168.1.2'), asNumber: 64_600 };
  const peers = [
    peer('all', tor),
    peer('one', { ...tor, peerIp: parseAddr('192.168.1.3'), node: 'node2' }),
    peer('rack', { ...tor, peerIp: parseAddr('192.168.1.4'), nodeSelector: 'rack == "a"', peerPort: 1790 }),
  ];
  const nodes = [bgpNode('node1', 1, { labels: { rack: 'a' } }), bgpNode('node2', 2)];
  const snapshot = bgpCluster({ nodes, bgp: { peers, configuration: { mesh: false } } });
  assert.deepEqual(sessions(snapshot), [
    'Global_192_168_1_2 global 64600',
    'Node_192_168_1_4_port_1790 node specific 64600',
  ]);
  assert.deepEqual(sessions({ ...snapshot, local: { ...snapshot.local, node: 'node2' } }), [
    'Global_192_168_1_2 global 64600',
    'Node_192_168_1_3 node specific 64600',
  ]);
});

test('calcBgp: a node’s own AS number and settings win over the cluster’s', () => {
  const nodes = [bgpNode('node1', 1, { asNumber: 64_701 }), bgpNode('node2', 2)];
  const snapshot = bgpCluster({ nodes, bgp: { nodes: { node2: { asNumber: 64_702, listenPort: 1179 } } } });
  const { asNumber, sessions: found } = state(snapshot);
  assert.equal(asNumber, 64_701);
  assert.deepEqual([found[0]?.asNumber, found[0]?.port], [64_702, 1179]);
});

test('calcBgp says what of the settings cannot be', () => {
  const own = { peerIp: parseAddr('192.168.1.101'), asNumber: 64_600 };
  const cases: [Snapshot, string | undefined][] = [
    [bgpCluster({ bgp: { configuration: { asNumber: 0 } } }), 'bgp-as'],
    [bgpCluster({ bgp: { peers: [peer('tor', own)] } }), 'bgp-peer-self'],
    [bgpCluster({ bgp: { peers: [peer('tor', { ...own, nodeSelector: 'all()' })] } }), undefined],
    [bgpCluster({ bgp: { peers: [peer('tor', { ...own, asNumber: 2 ** 32 })] } }), 'bgp-peer-as'],
    [bgpCluster({ bgp: { peers: [peer('tor', {})] } }), 'bgp-peer-nobody'],
    [bgpCluster({ bgp: { peers: [peer('tor', { peerIp: parseAddr('fd00::1'), asNumber: 1 })] } }), 'bgp-peer-family'],
    [bgpCluster({ bgp: { peers: [peer('tor', { peerSelector: 'rack =' })] } }), 'bgp-selector'],
    [
      bgpCluster({ bgp: { peers: [peer('tor', { ...own, peerIp: parseAddr('192.168.1.2'), filters: ['none'] })] } }),
      'bgp-filter',
    ],
  ];
  for (const [snapshot, code] of cases) {
    const { problems } = outcome(snapshot);
    assert.deepEqual(
      problems.map((each) => each.code),
      code === undefined ? [] : [code],
    );
    assert.match(problems[0]?.sentence ?? 'node1', /node1/);
  }
});

test('a peer is told the node’s own networks and what lies in pools, and nothing else', () => {
  const snapshot = bgpCluster({
    pools: [
      poolOf('default', parsePrefix('10.244.0.0/16')),
      poolOf('quiet', parsePrefix('10.9.0.0/16'), { disableBgpExport: true }),
    ],
  });
  const found = state(snapshot);
  const [session] = found.sessions;
  assert.ok(session);
  const verdict = (route: RouteFacts) => {
    const { verdict: what, because } = evaluate(exportFilter(found, session, 4), route);
    return `${what}: ${because}`;
  };
  assert.equal(verdict(facts('10.244.1.0/24', { source: 'static', proto: 'own4' })), 'accept: this node’s own network');
  assert.equal(verdict(facts('10.244.2.0/24')), 'accept: heard of inside IPPool default');
  assert.equal(verdict(facts('10.9.1.0/24', { proto: 'own4' })), 'reject: IPPool quiet has disableBGPExport');
  const rest = 'reject: it is not this node’s own, and was not heard of inside an IPPool';
  assert.equal(verdict(facts('172.16.0.0/24')), rest);
  // The address of its own tunnel device.
  assert.equal(verdict(facts('10.244.1.0/32', { source: 'device', proto: 'direct1' })), rest);
});

test('BGPFilters come first, in their order, and say which rule decided', () => {
  const found = state(BGP_CLUSTERS.filters);
  const [session] = found.sessions;
  assert.ok(session);
  const out = (net: string) => evaluate(exportFilter(found, session, 4), facts(net)).because;
  const taken = (net: string, more: Partial<RouteFacts> = {}) =>
    evaluate(importFilter(found, session, 4), facts(net, more));
  assert.equal(out('10.244.2.0/24'), 'BGPFilter tor, exportV4 rule 1');
  assert.equal(out('10.244.2.0/26'), 'heard of inside IPPool default');
  assert.equal(out('10.9.0.0/16'), 'BGPFilter tor, exportV4 rule 2');
  assert.deepEqual(taken('0.0.0.0/0'), { verdict: 'reject', because: 'BGPFilter tor, importV4 rule 1' });
  assert.equal(taken('198.51.100.0/24', { ifname: 'eth1' }).because, 'BGPFilter tor, importV4 rule 2');
  assert.equal(taken('198.51.100.0/24').verdict, 'accept');
});

test('a BGPFilter’s rule for lengths that its network cannot hold fits nothing, and BIRD’s configuration can be written', () => {
  const cidr = parsePrefix('10.244.2.64/26');
  const rule = (matchOperator: 'In' | 'NotIn', action: 'Accept' | 'Reject') =>
    ({ action, cidr, matchOperator, prefixLength: { max: 24 } }) as const;
  const of = (...exportV4: ReturnType<typeof rule>[]) => {
    const filter = { name: 'f', exportV4, importV4: [], exportV6: [], importV6: [] };
    const tor = peer('tor', { peerIp: parseAddr('192.168.1.2'), asNumber: 64_600, filters: ['f'] });
    const found = state(bgpCluster({ bgp: { peers: [tor], filters: [filter] } }));
    const session = found.sessions.find(({ asNumber }) => asNumber === 64_600);
    assert.ok(session && printConf(birdConf(found, () => undefined).conf));
    return evaluate(exportFilter(found, session, 4), facts('10.244.2.64/26')).because;
  };
  assert.equal(of(rule('In', 'Reject'), rule('NotIn', 'Accept')), 'BGPFilter f, exportV4 rule 2');
});

test('the kernel gets what was heard, but no routes that the agent makes', () => {
  const found = state(BGP_CLUSTERS['pools of every way']);
  const into = (route: RouteFacts) => evaluate(kernelFilter(found, 4), route).verdict;
  assert.equal(into(facts('10.244.2.0/26')), 'accept');
  assert.equal(into(facts('198.51.100.0/24', { asPath: [64_600] })), 'accept');
  assert.equal(into(facts('10.246.2.0/26')), 'reject', 'VXLAN');
  assert.equal(into(facts('10.244.1.0/26', { source: 'static', proto: 'own4' })), 'reject');
  assert.equal(into(facts('192.168.1.2/32', { source: 'static', proto: 'reach4' })), 'accept');
  assert.equal(into(facts('10.244.2.0/26', { unreachable: true })), 'reject');
});

test('birdConf leads what is heard by the tunnel that its pool asks for', () => {
  const found = state(BGP_CLUSTERS['pools of every way']);
  const text = printConf(birdConf(found, () => undefined).conf);
  assert.match(
    text,
    /10\.245\.0\.0\/16\{16,32\} \] && \(source = RTS_BGP && bgp_path\.len = 0\)\) then \{ ifname = "tunl0"/,
  );
  assert.match(text, /10\.247\.0\.0\/16.* && !\(\(bgp_next_hop ~ 192\.168\.1\.0\/24\)\)\) then \{ ifname = "tunl0"/);
  assert.doesNotMatch(text, /10\.246\.0\.0\/16.*tunl0/);
});

test('birdConf makes no session without the password that it wants, and says so', () => {
  const found = state(BGP_CLUSTERS.passwords);
  const { conf, problems } = birdConf(found, ({ key }) => ({ good: 'secret', bad: 'a"b', long: 'x'.repeat(81) })[key]);
  assert.deepEqual(
    problems.map(({ code, sentence }) => `${code} ${/(Secret.*)\.$/.exec(sentence)?.[1]}`),
    [
      'bgp-password-form Secret kube-system/bgp, key bad, has quotation marks or line breaks, which BIRD’s configuration cannot hold',
      'bgp-password-form Secret kube-system/bgp, key long, is 81 bytes long',
      'bgp-password Secret kube-system/bgp with key none is not there',
    ],
  );
  const names = conf.protocols.filter(({ kind }) => kind === 'bgp').map(({ name }) => name);
  assert.deepEqual(names, ['Global_192_168_1_2']);
  assert.match(printConf(conf), /password "secret";/);
  assert.ok(!problems.some(({ sentence }) => /a"b|secret"/.test(sentence)), 'no sentence holds a password');
});

test('birdConf: one more block changes no filter, so no session is asked to tell all anew', () => {
  const before = birdConf(state(BGP_CLUSTERS.mesh), () => undefined).conf;
  const nodes = BGP_CLUSTERS.mesh.nodes.map((node) =>
    node.name === 'node1' ? { ...node, networks: [...node.networks, parsePrefix('10.244.77.0/26')] } : node,
  );
  const after = birdConf(state({ ...BGP_CLUSTERS.mesh, nodes }), () => undefined).conf;
  assert.deepEqual(after.filters, before.filters);
  assert.notDeepEqual(after.protocols, before.protocols);
});

for (const [name, snapshot] of Object.entries(BGP_CLUSTERS)) {
  test(`calcBgp of "${name}" depends on what the lists hold, not on their order`, () => {
    const expected = outcome(snapshot);
    const shuffled = fc.tuple(
      fc.shuffledSubarray([...snapshot.nodes], { minLength: snapshot.nodes.length }),
      fc.shuffledSubarray([...snapshot.pools], { minLength: snapshot.pools.length }),
      fc.shuffledSubarray([...snapshot.bgp.peers], { minLength: snapshot.bgp.peers.length }),
    );
    fc.assert(
      fc.property(shuffled, ([nodes, pools, peers]) => {
        assert.deepEqual(outcome({ ...snapshot, nodes, pools, bgp: { ...snapshot.bgp, peers } }), expected);
      }),
      { numRuns: 20 },
    );
  });
}

test('while a cluster changes over, what does not go as its pool says is the agent’s, and BIRD keeps out of it', () => {
  const ways = (...accepts: WayKind[]) => ({ ways: { accepts, sends: accepts } });
  const nodes = [
    bgpNode('node1', 1, ways('bgp', 'ipip', 'vxlan')),
    bgpNode('node2', 2, ways('vxlan')),
    bgpNode('node3', 3, ways('bgp', 'ipip', 'vxlan')),
  ];
  const pools = [poolOf('default', parsePrefix('10.244.0.0/16'), { ipip: 'always' })];
  const outcome = calcNodeState(bgpCluster({ nodes, pools }), UNDERLAY);
  if (outcome.kind !== 'ready') assert.fail(outcome.problem.sentence);
  assert.deepEqual(
    outcome.state.peers.map(({ node, way, route }) => `${node} ${way.kind} ${route}`),
    ['node2 vxlan agent', 'node3 ipip bird'],
  );
  const { bgp } = outcome.state;
  assert.deepEqual(bgp?.held, ['10.244.2.0/24']);
  const verdict = (net: string) => evaluate(kernelFilter(bgp, 4), facts(net)).because;
  assert.deepEqual(
    [verdict('10.244.2.0/24'), verdict('10.244.3.0/24')],
    ['the agent leads there while the cluster changes over', 'heard by BGP'],
  );
});

test('calcBgp says single addresses of Services for outsiders beside their networks, and only inside these', () => {
  const configuration = {
    serviceClusterIps: [parsePrefix('10.96.0.0/12')],
    serviceExternalIps: [parsePrefix('203.0.113.0/28'), parsePrefix('2001:db8::/64')],
  };
  const services = {
    clusterIps: [parseAddr('10.96.0.7')],
    externalIps: [parseAddr('203.0.113.3'), parseAddr('203.0.113.99'), parseAddr('2001:db8::7')],
    loadBalancerIps: [parseAddr('203.0.113.4')],
  };
  const snapshot = { ...bgpCluster({ bgp: { configuration } }), services };
  assert.deepEqual(state(snapshot).announced, [
    ...['10.244.1.0/24', '10.96.0.0/12', '10.96.0.7/32', '203.0.113.0/28', '203.0.113.3/32'],
    ...['2001:db8::/64', '2001:db8::7/128'],
  ]);
  const [first, ...others] = snapshot.nodes;
  assert.ok(first);
  const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  const excluded = { ...snapshot, nodes: [{ ...first, labels }, ...others] };
  assert.deepEqual(state(excluded).announced, ['10.244.1.0/24'], 'a node that is kept out of load balancing says none');
});
