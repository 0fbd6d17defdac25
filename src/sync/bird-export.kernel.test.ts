/** What is said of BIRD's choices agrees with what BIRD chooses and tells: real sessions, random filters and routes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { birdConf } from '#calc/bgp/bird-conf.ts';
import { explainNetwork, type NetworkAnswer } from '#calc/bgp/explain.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import { bgpCluster, bgpNode, peer } from '#calc/testing/bgp-clusters.ts';
import { birdAt } from '#kernel/bird/bird.ts';
import { noBird } from '#kernel/testing/bird.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { type Prefix, parsePrefix } from '#net/prefix.ts';
import type { BgpFilterRule, BgpPeer } from '#spec/bgp.ts';
import type { ClusterNode } from '#spec/cluster.ts';
import { poolOf } from '#spec/pool.ts';
import { readAllRoutes, readDaemon, readNetwork } from '#sync/bird-read.ts';
import { type BirdNode, BirdNodes, bgpStateOf, until } from '#sync/testing/bird-pair.ts';
import { BirdPeer, type PeerRoute } from '#sync/testing/bird-peer.ts';
import { printConf, versionSymbol } from '#wire/bird/print-conf.ts';
import { ending } from '#wire/bird/reply.ts';

const NODE = { addr: '192.168.1.101', asNumber: 64_512 };
const addrOf = (index: number): Addr => parseAddr(`192.168.1.${index}`);

/** Networks that several peers have, so that there is something to choose. */
const NETS = ['10.244.2.0/24', '10.244.2.64/26', '10.244.8.0/24', '10.9.0.0/16', '10.9.3.0/24', '198.51.100.0/24'];
const CIDRS = [...NETS, '0.0.0.0/0', '10.244.0.0/16', '10.0.0.0/8', '10.244.1.0/24'];

const attributes: fc.Arbitrary<string> = fc
  .record({
    path: fc.array(fc.constantFrom(64_700, 64_701), { maxLength: 2 }),
    community: fc.constantFrom('', '(65535,65281)', '(65535,65282)', '(65535,65283)', '(65000,7)'),
    med: fc.constantFrom('', 'bgp_med = 5;', 'bgp_med = 9;'),
    localPref: fc.constantFrom('', 'bgp_local_pref = 90;', 'bgp_local_pref = 110;'),
    origin: fc.constantFrom('', 'bgp_origin = ORIGIN_EGP;', 'bgp_origin = ORIGIN_INCOMPLETE;'),
    // Of the node's own AS only; others are told the announcer's own address.
    nextHop: fc.constantFrom('', '', '', 'bgp_next_hop = 10.99.9.9;', 'bgp_next_hop = 192.168.1.12;'),
  })
  .map(({ path, community, med, localPref, origin, nextHop }) =>
    [
      ...path.map((as) => `bgp_path.prepend(${as});`),
      ...(community === '' ? [] : [`bgp_community.add(${community});`]),
      ...[med, localPref, origin, nextHop],
    ].join(' '),
  );

const rule: fc.Arbitrary<BgpFilterRule> = fc
  .record(
    {
      action: fc.constantFrom('Accept' as const, 'Reject' as const),
      cidr: fc.constantFrom(...CIDRS).map(parsePrefix),
      matchOperator: fc.constantFrom('Equal' as const, 'NotEqual' as const, 'In' as const, 'NotIn' as const),
      prefixLength: fc.constantFrom({ max: 24 }, { min: 25 }, { min: 16, max: 26 }),
      source: fc.constant('RemotePeers' as const),
      interface: fc.constantFrom('eth0', 'eth1', 'e*', '*'),
    },
    { requiredKeys: ['action'], noNullPrototype: true },
  )
  // As the API has it: these three go together.
  .map(({ cidr, matchOperator, prefixLength, ...rest }) => ({
    ...rest,
    ...(cidr && matchOperator ? { cidr, matchOperator, ...(prefixLength ? { prefixLength } : {}) } : {}),
  }));

const settings = fc.record({
  rules: fc.tuple(fc.array(rule, { maxLength: 4 }), fc.array(rule, { maxLength: 3 })),
  hidden: fc.boolean(),
  own: fc.subarray(['10.244.1.0/24', '10.244.8.0/24', '10.77.0.0/16']).map((all) => all.map(parsePrefix)),
});

interface Scenario {
  readonly node: Partial<ClusterNode>;
  readonly others: readonly ClusterNode[];
  readonly peers: readonly BgpPeer[];
  /** Those that speak with it, by the last number of their addresses. */
  readonly speakers: readonly Speaker[];
}

interface Speaker {
  readonly index: number;
  readonly asNumber: number;
  readonly addPaths: boolean;
  /** The AS number that it expects the node to have, if not its own. */
  readonly nodeAs?: number;
}

const filtered = { filters: ['f'] };
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a mesh, and routers of another AS': {
    node: {},
    others: [bgpNode('node2', 2), bgpNode('node3', 3)],
    peers: [
      peer('ibgp', { peerIp: addrOf(103), asNumber: 64_512, ...filtered }),
      peer('tor-a', { peerIp: addrOf(11), asNumber: 64_600, ...filtered }),
      peer('tor-b', { peerIp: addrOf(12), asNumber: 64_600, nextHop: 'keep' }),
    ],
    speakers: [
      { index: 102, asNumber: 64_512, addPaths: true },
      { index: 103, asNumber: 64_512, addPaths: false },
      { index: 11, asNumber: 64_600, addPaths: false },
      { index: 12, asNumber: 64_600, addPaths: true },
    ],
  },
  'a route reflector, its clients, another reflector of its cluster': {
    node: { routeReflectorClusterId: parseAddr('244.0.0.1'), labels: { rr: 'true' } },
    others: [
      bgpNode('node2', 2),
      bgpNode('node3', 3),
      bgpNode('node4', 4, { routeReflectorClusterId: parseAddr('244.0.0.1'), labels: { rr: 'true' } }),
    ],
    peers: [
      peer('clients', { nodeSelector: "!(rr == 'true')", peerSelector: "rr == 'true'", ...filtered }),
      peer('reflectors', { nodeSelector: "rr == 'true'", peerSelector: "rr == 'true'" }),
      peer('tor', { peerIp: addrOf(12), asNumber: 64_600, nextHop: 'keep' }),
    ],
    speakers: [
      { index: 102, asNumber: 64_512, addPaths: true },
      { index: 103, asNumber: 64_512, addPaths: false },
      { index: 104, asNumber: 64_512, addPaths: false },
      { index: 12, asNumber: 64_600, addPaths: false },
    ],
  },
  'routers that know the node by another AS number, and one that is always told the node itself': {
    node: {},
    others: [bgpNode('node2', 2)],
    peers: [
      peer('same', { peerIp: addrOf(11), asNumber: 64_600, localAsNumber: 64_600, nextHop: 'self' }),
      peer('other', { peerIp: addrOf(12), asNumber: 64_601, localAsNumber: 64_600, ...filtered }),
    ],
    speakers: [
      { index: 102, asNumber: 64_512, addPaths: true },
      { index: 11, asNumber: 64_600, addPaths: false, nodeAs: 64_600 },
      { index: 12, asNumber: 64_601, addPaths: true, nodeAs: 64_600 },
    ],
  },
};

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`why a way is chosen or told is as BIRD does it: ${name}`, { skip: noBird }, async () => {
    await using mesh = new BirdNodes(1);
    await using stack = new AsyncDisposableStack();
    const [node] = mesh.nodes;
    assert.ok(node);
    const speakers: BirdPeer[] = [];
    for (const speaker of scenario.speakers) {
      const routes = routesFor(speaker.index);
      const known = { ...NODE, asNumber: speaker.nodeAs ?? NODE.asNumber };
      speakers.push(stack.use(await BirdPeer.start(mesh, { ...speaker, node: known, routes })));
    }
    const run = async (drawn: Drawn) => agrees(node, stateFor(scenario, drawn), scenario, speakers);
    await fc.assert(fc.asyncProperty(settings, run), { numRuns: 12 });
  });
}

type Drawn = typeof settings extends fc.Arbitrary<infer T> ? T : never;

/** The same in each run of the tests. */
function routesFor(index: number): PeerRoute[] {
  const some = fc.tuple(fc.subarray(NETS, { minLength: 3 }), fc.array(attributes, { minLength: 6, maxLength: 6 }));
  const [[nets, sets] = [[], []]] = fc.sample(some, { seed: index, numRuns: 1 });
  const drawn = nets.map((net, i) => ({ net, sets: sets[i] ?? '' }));
  // A way that would lead 192.168.1.12 to itself.
  return index === 102 ? [...drawn, { net: '10.244.9.0/24', sets: 'bgp_next_hop = 192.168.1.12;' }] : drawn;
}

function stateFor({ node, others, peers }: Scenario, { rules: [out, into], hidden, own }: Drawn): BgpState {
  const self = bgpNode('node1', 1, { ...node, networks: own });
  const pools = [
    poolOf('default', parsePrefix('10.244.0.0/16')),
    poolOf('quiet', parsePrefix('10.9.0.0/16'), { disableBgpExport: hidden }),
  ];
  const filters = [{ name: 'f', exportV4: out, importV4: into, exportV6: [], importV6: [] }];
  return bgpStateOf(bgpCluster({ nodes: [self, ...others], pools, bgp: { peers, filters } }), 'node1');
}

async function agrees(node: BirdNode, state: BgpState, { speakers }: Scenario, peers: readonly BirdPeer[]) {
  node.keeper.aim({ kind: 'speak', state });
  await until('it is loaded', () => hasLoaded(node, state));
  await until('all sessions are up', async () => (await upCount(node)) === speakers.length);
  const last: { wrong: string[]; told: Prefix[][]; heard: Prefix[][] } = { wrong: [], told: [], heard: [] };
  const settled = async () => {
    const answers = await explained(node, state);
    last.wrong = wrongIn(answers);
    last.told = toldTo(answers, speakers);
    last.heard = await Promise.all(peers.map(async (each) => netsOf((await each.heard()).map(({ net }) => net))));
    return last.wrong.length === 0 && same(last.told, last.heard);
  };
  // What was announced by the filters of before is on its way; if it never agrees the comparisons below say where.
  await until('BIRD has told all', settled).catch((error: unknown) => {
    assert.deepEqual(last.wrong, []);
    assert.deepEqual(last.told, last.heard);
    throw error;
  });
}

/** Whether the daemon has what is written from this state, and the keeper has nothing left to say to it. */
async function hasLoaded({ keeper, files }: BirdNode, state: BgpState): Promise<boolean> {
  const text = birdAt(files).readConf() ?? '';
  const version = /polder_conf_(\w+)/.exec(text)?.[1];
  if (version === undefined || keeper.trouble !== undefined) return false;
  const reply = await keeper.control?.ask(`show symbols ${versionSymbol(version)}`);
  const wanted = printConf({ ...birdConf(state, () => undefined).conf, version });
  return text === wanted && reply !== undefined && /constant/.test(ending(reply).text);
}

async function upCount({ keeper }: BirdNode): Promise<number> {
  const daemon = keeper.control && (await readDaemon(keeper.control));
  return daemon?.protocols.filter(({ bgp }) => bgp?.state === 'Established').length ?? 0;
}

async function explained({ keeper }: BirdNode, state: BgpState): Promise<NetworkAnswer[]> {
  const { control } = keeper;
  assert.ok(control);
  const nets = new Set((await readAllRoutes(control)).map(({ net }) => net));
  const facts = await Promise.all([...nets].sort().map((net) => readNetwork(control, state, net)));
  return facts.flatMap((each) => (each ? [explainNetwork(state, each)] : []));
}

/** Answers in which what was computed is not what BIRD does. */
function wrongIn(answers: readonly NetworkAnswer[]): string[] {
  return answers.flatMap(({ net, ways }) =>
    ways.flatMap(({ proto, because, peers }) => [
      ...(/^BIRD (keeps|chooses none)|^it was there first/.test(because) ? [`${net} by ${proto}: ${because}`] : []),
      ...peers.flatMap((answer) =>
        /has not done yet/.test(answer.because) ? [`${net} by ${proto} to ${answer.peer}: ${answer.because}`] : [],
      ),
    ]),
  );
}

/** Networks, by peer. */
function toldTo(answers: readonly NetworkAnswer[], speakers: Scenario['speakers']): Prefix[][] {
  return speakers.map(({ index }) =>
    netsOf(
      answers.flatMap(({ net, ways }) =>
        ways.some(({ peers }) => peers.some(({ peer: addr, told }) => told && addr === addrOf(index))) ? [net] : [],
      ),
    ),
  );
}

function netsOf(nets: readonly Prefix[]): Prefix[] {
  return [...new Set(nets)].sort();
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
