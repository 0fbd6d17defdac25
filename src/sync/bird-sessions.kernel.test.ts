/** What BGPPeers and BGPConfiguration ask for, between real BIRDs. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { PasswordOf } from '#calc/bgp/bird-conf.ts';
import { bgpCluster, bgpNode, peer } from '#calc/testing/bgp-clusters.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { readSignatureCounts } from '#kernel/tcp-signatures.ts';
import { noBird } from '#kernel/testing/bird.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { BgpFilter } from '#spec/bgp.ts';
import type { Snapshot } from '#spec/cluster.ts';
import { SignatureWatch } from '#sync/signatures.ts';
import { type BirdNode, BirdNodes, bgpStateOf, birdRoutes, until } from '#sync/testing/bird-pair.ts';
import { readProtocols } from '#wire/bird/show-protocols.ts';
import { type BirdRoute, readRoutes } from '#wire/bird/show-routes.ts';

const TOR_AS = 64_600;
/** node2 in the part of a router of another AS: a cluster of itself. */
const TOR = bgpNode('node2', 2, { asNumber: TOR_AS, networks: [parsePrefix('10.244.200.0/24')] });

type Options = Parameters<typeof peer>[1];
type Bgp = NonNullable<Parameters<typeof bgpCluster>[0]>['bgp'];

/** node1 with the router for its peer. */
function nodeWithTor(options: Options = {}, bgp: Bgp = {}): Snapshot {
  const peers = [peer('tor', { peerIp: parseAddr('192.168.1.102'), asNumber: TOR_AS, ...options })];
  return bgpCluster({ nodes: [bgpNode('node1', 1)], bgp: { peers, ...bgp } });
}

function torWithNode(options: Options = {}): Snapshot {
  const peers = [peer('node', { peerIp: parseAddr('192.168.1.101'), asNumber: 64_512, ...options })];
  return bgpCluster({ nodes: [TOR], bgp: { peers } });
}

function aim({ name, keeper }: BirdNode, snapshot: Snapshot): void {
  keeper.aim({ kind: 'speak', state: bgpStateOf(snapshot, name) });
}

function pair(nodes: readonly BirdNode[]): [BirdNode, BirdNode] {
  const [a, b] = nodes;
  return a && b ? [a, b] : assert.fail('there are no two nodes');
}

async function session({ keeper }: BirdNode) {
  const reply = await keeper.control?.ask('show protocols all');
  return reply && readProtocols(reply).find(({ kind }) => kind === 'BGP');
}

async function isUp(node: BirdNode): Promise<boolean> {
  return /^Established/.test((await session(node))?.info ?? '');
}

async function routeOf({ keeper }: BirdNode, net: string): Promise<BirdRoute | undefined> {
  const reply = await keeper.control?.ask(`show route ${net} all`);
  return reply && readRoutes(reply)[0];
}

test('a route reflector tells each client of the others, whose next hops stay', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(3);
  const reflector = { routeReflectorClusterId: parseAddr('244.0.0.1'), labels: { rr: 'true' } };
  const snapshot = bgpCluster({
    nodes: [bgpNode('node1', 1), bgpNode('node2', 2), bgpNode('node3', 3, reflector)],
    bgp: {
      configuration: { mesh: false },
      peers: [peer('rr', { nodeSelector: "!(rr == 'true')", peerSelector: "rr == 'true'" })],
    },
  });
  for (const node of mesh.nodes) aim(node, snapshot);
  const [a, b] = pair(mesh.nodes);
  await until('both have heard both others', () => [a, b].every((node) => birdRoutes(node).length === 2));
  const routes = a.netlink.routes({ protocol: 12 }).map(({ to, hops }) => `${to} via ${hops[0]?.via}`);
  assert.deepEqual(routes.sort(), ['10.244.2.0/24 via 192.168.1.102', '10.244.3.0/24 via 192.168.1.103']);
  const known = readProtocols((await a.keeper.control?.ask('show protocols')) ?? { lines: [] });
  assert.equal(known.filter(({ kind }) => kind === 'BGP').length, 1, 'it speaks with the reflector alone');
});

/** Keepers with passwords of their own in place of those that the nodes have. */
async function withPasswords(mesh: BirdNodes, ...passwords: readonly string[]): Promise<[BirdNode, BirdNode]> {
  for (const [i, password] of passwords.entries()) {
    const node = mesh.nodes[i] ?? assert.fail();
    await node.endKeeper();
    const passwordOf: PasswordOf = () => password;
    mesh.nodes[i] = mesh.keep(node, passwordOf);
  }
  return pair(mesh.nodes);
}

const PASSWORD = { password: { name: 'bgp', key: 'tor' } };

test('a password that both have lets the session stand, and it is asked for', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = await withPasswords(mesh, 'sesame', 'sesame');
  aim(a, nodeWithTor(PASSWORD));
  aim(b, torWithNode(PASSWORD));
  await until('it stands', async () => (await isUp(a)) && (await isUp(b)));
});

const PLACE = 'in Secret kube-system/bgp, key tor';
const SIGNATURES: readonly (readonly [what: string, here: Options, there: Options, said: string])[] = [
  ['wrong', PASSWORD, PASSWORD, `whose TCP MD5 signature is not by the password ${PLACE}`],
  ['missing', PASSWORD, {}, `without a TCP MD5 signature, though a password is set ${PLACE}`],
  ['unwanted', {}, PASSWORD, 'with a TCP MD5 signature, though no password is set here'],
];

for (const [what, here, there, said] of SIGNATURES) {
  test(`a ${what} password is said`, { skip: noBird }, async () => {
    await using mesh = new BirdNodes(2);
    const [a, b] = await withPasswords(mesh, 'sesame', 'mellon');
    aim(a, nodeWithTor(here));
    aim(b, torWithNode(there));
    const watch = new SignatureWatch({
      counts: () => readSignatureCounts(a.netns),
      control: () => a.keeper.control,
      state: () => bgpStateOf(nodeWithTor(here), 'node1'),
    });
    const stop = new AbortController();
    const running = watch.run(stop.signal);
    await until('it is said', () => watch.problems.length > 0);
    stop.abort();
    await running;
    assert.equal(await isUp(a), false);
    assert.equal(
      watch.problems[0]?.sentence,
      `Node node1 and BGPPeer tor (192.168.1.102) do not come together: packets come ${said}.`,
    );
  });
}

test('filters are in force in a session that stands, and a change of them makes no new one', {
  skip: noBird,
}, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = pair(mesh.nodes);
  const block = parsePrefix('10.244.1.0/24');
  const reject = { action: 'Reject', cidr: parsePrefix('10.244.0.0/16'), matchOperator: 'In' } as const;
  const filter = (more: Partial<BgpFilter>): BgpFilter[] => [
    { name: 'f', exportV4: [], importV4: [], exportV6: [], importV6: [], ...more },
  ];
  const named = { filters: ['f'] };
  aim(a, nodeWithTor(named, { filters: filter({}) }));
  aim(b, torWithNode());
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).includes(block));
  const since = (await session(a))?.since;
  aim(a, nodeWithTor(named, { filters: filter({ exportV4: [reject] }) }));
  await until('what must not be told is taken back', () => birdRoutes(b).length === 0);
  aim(a, nodeWithTor(named, { filters: filter({ importV4: [reject] }) }));
  await until('what must not be heard goes, what may be told comes', () => {
    return birdRoutes(a).length === 0 && birdRoutes(b).includes(block);
  });
  assert.equal((await session(a))?.since.slice(0, 22), since?.slice(0, 22));
});

test('communities and the networks of Services go with the session', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = pair(mesh.nodes);
  const configuration = {
    serviceClusterIps: [parsePrefix('10.96.0.0/12')],
    prefixAdvertisements: [{ cidr: parsePrefix('10.244.0.0/16'), communities: ['65000:100', '65000:1:2'] }],
  };
  aim(a, nodeWithTor({}, { configuration, peers: nodeWithTor().bgp.peers }));
  aim(b, torWithNode());
  await until('all is heard', () => birdRoutes(b).length === 2);
  assert.deepEqual(birdRoutes(b), ['10.244.1.0/24', '10.96.0.0/12']);
  const attributes = (await routeOf(b, '10.244.1.0/24'))?.attributes ?? {};
  assert.deepEqual(
    [attributes['BGP.as_path'], attributes['BGP.community'], attributes['BGP.large_community']],
    ['64512', '(65000,100)', '(65000, 1, 2)'],
  );
});

test('ttlSecurity on both sides lets neighbours come together', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = pair(mesh.nodes);
  aim(a, nodeWithTor({ ttlSecurity: 1 }));
  aim(b, torWithNode({ ttlSecurity: 1 }));
  await until('it stands', async () => (await isUp(a)) && (await isUp(b)));
});

test('listenPort and bindMode NodeIP: BIRD listens at the node’s address and that port alone', {
  skip: noBird,
}, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = pair(mesh.nodes);
  const configuration = { listenPort: 1790, bindMode: 'NodeIP' } as const;
  const snapshot = bgpCluster({ nodes: [bgpNode('node1', 1), bgpNode('node2', 2)], bgp: { configuration } });
  for (const node of [a, b]) aim(node, snapshot);
  await until('it stands', async () => (await isUp(a)) && (await isUp(b)));
  const sockets = inNetns(a.netns, () => readFileSync('/proc/thread-self/net/tcp', 'utf8')).split('\n');
  const listening = sockets.map((line) => line.trim().split(/\s+/)).filter(([, , , state]) => state === '0A');
  // 192.168.1.101:1790, bytes of the address backwards.
  assert.deepEqual(
    listening.map(([, local]) => local),
    ['6501A8C0:06FE'],
  );
});

test('BFD takes the routes of a neighbour that falls silent, long before BGP would', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = pair(mesh.nodes);
  aim(a, nodeWithTor({ failureDetection: 'bfd' }));
  aim(b, torWithNode({ failureDetection: 'bfd' }));
  await until('BFD stands', async () => {
    const reply = await a.keeper.control?.ask('show bfd sessions');
    return reply?.lines.some(({ text }) => /192\.168\.1\.102 .* Up /.test(text)) === true && birdRoutes(a).length === 1;
  });
  // The hold time is 240 s; nothing else would tell.
  b.netlink.run([{ op: 'link.set', name: 'eth0', change: { up: false } }]);
  await until('its routes are gone', () => birdRoutes(a).length === 0);
});

test('numAllowedLocalASNumbers lets a route back in that has come through the own AS', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(3);
  const [a, b] = pair(mesh.nodes);
  const [, , c] = mesh.nodes;
  assert.ok(c);
  const block = parsePrefix('10.244.3.0/24');
  // node1 and node3 have one AS number and speak with the router between them alone.
  const site = (node: string, index: number, allowed: number | undefined): Snapshot =>
    bgpCluster({
      nodes: [bgpNode(node, index)],
      bgp: {
        configuration: { mesh: false },
        peers: [
          peer('tor', {
            peerIp: parseAddr('192.168.1.102'),
            asNumber: TOR_AS,
            ...(allowed === undefined ? {} : { numAllowedLocalAsNumbers: allowed }),
          }),
        ],
      },
    });
  const both = ['192.168.1.101', '192.168.1.103'].map((addr, i) =>
    peer(`site${i}`, { peerIp: parseAddr(addr), asNumber: 64_512 }),
  );
  aim(b, bgpCluster({ nodes: [TOR], bgp: { peers: both } }));
  aim(c, site('node3', 3, undefined));
  aim(a, site('node1', 1, 1));
  await until('node1 has heard of node3’s block', () => birdRoutes(a).includes(block));
  assert.ok(!birdRoutes(c).includes('10.244.1.0/24'), 'node3 has not been told to take such');
});
