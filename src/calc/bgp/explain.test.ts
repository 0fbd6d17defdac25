import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcBgp } from '#calc/bgp/bgp.ts';
import { explainNetwork } from '#calc/bgp/explain.ts';
import { sessionReports } from '#calc/bgp/session-report.ts';
import { BGP_CLUSTERS } from '#calc/testing/bgp-clusters.ts';
import { UNDERLAY } from '#calc/testing/clusters.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { Snapshot } from '#spec/cluster.ts';
import type { ProtocolState } from '#wire/bird/show-protocols.ts';
import type { BirdRoute } from '#wire/bird/show-routes.ts';

const NET = parsePrefix('10.244.2.0/24');

function stateOf(snapshot: Snapshot) {
  const self = snapshot.nodes.find(({ name }) => name === snapshot.local.node);
  const { state } = self ? calcBgp(snapshot, self, UNDERLAY) : {};
  assert.ok(state);
  return state;
}

function heard(proto: string, more: Partial<BirdRoute> = {}): BirdRoute {
  const hops = [{ via: parseAddr('192.168.1.102'), ifname: 'eth0', onlink: false }];
  const attributes = { 'BGP.as_path': '', 'BGP.local_pref': '100', 'BGP.origin': 'IGP' };
  return {
    ...{ net: NET, table: 'master4', dest: 'unicast', proto, since: '', refused: false, unresolved: false },
    ...{ chosen: true, preference: 100, hops, source: 'BGP', attributes },
    ...more,
  };
}

function up(name: string, more: Partial<ProtocolState> = {}): ProtocolState {
  const bgp = { state: 'Established', addPathTx: [] };
  return { name, kind: 'BGP', state: 'up', since: '', info: 'Established', bgp, channels: [], ...more };
}

test('explainNetwork says why each peer is told or not, as the written filters have it', () => {
  const state = stateOf(BGP_CLUSTERS.filters);
  const [session] = state.sessions;
  assert.ok(session);
  const own = heard('own4', { dest: 'blackhole', source: 'static', hops: [], preference: 200, attributes: {} });
  const facts = { net: NET, filtered: [], protocols: [up(session.name)] };
  const [way] = explainNetwork(state, { ...facts, routes: [own], exported: new Map([[session.name, [own]]]) }).ways;
  assert.deepEqual(
    way?.peers.map(({ told, because }) => [told, because]),
    [[true, 'this node’s own network']],
  );
  assert.equal(way?.origin, 'this node');
  assert.deepEqual(way?.kernel, { put: false, because: 'not heard by BGP: it is in the kernel already' });
  const [other] = explainNetwork(state, { ...facts, routes: [own], exported: new Map() }).ways;
  assert.match(other?.peers[0]?.because ?? '', /^BIRD has not done yet what its configuration says: accept, /);
});

test('explainNetwork: a session that does not stand is told of nothing, and it is said why', () => {
  const state = stateOf(BGP_CLUSTERS.mesh);
  const [a, b] = state.sessions;
  assert.ok(a && b);
  const down = up(b.name, { info: 'Active Socket: Connection refused', bgp: { state: 'Active', addPathTx: [] } });
  const facts = { net: NET, filtered: [], protocols: [up(a.name), down], exported: new Map() };
  const [way] = explainNetwork(state, { ...facts, routes: [heard(a.name)] }).ways;
  assert.deepEqual(
    way?.peers.map(({ because }) => because),
    ['heard from this peer', 'the session is not up: Active Socket: Connection refused'],
  );
});

test('explainNetwork: of several ways each but one says what puts it behind', () => {
  const state = stateOf(BGP_CLUSTERS.mesh);
  const [a, b] = state.sessions;
  assert.ok(a && b);
  const best = heard(a.name);
  const longer = heard(b.name, { chosen: false, attributes: { ...best.attributes, 'BGP.as_path': '1 2' } });
  const facts = { net: NET, protocols: [up(a.name), up(b.name)], exported: new Map() };
  const answer = explainNetwork(state, { ...facts, routes: [best, longer], filtered: [heard(b.name)] });
  assert.deepEqual(
    answer.ways.map((way) => `${way.state}: ${way.because}`),
    [
      `chosen: of the next best, ${b.name}, its AS path is 2 long, the other 0`,
      'not chosen: its AS path is 2 long, the other 0',
      'rejected: whatever no BGPFilter rejects is taken',
    ],
  );
});

test('sessionReports has a row for each session that is wanted, also where BIRD does not know it', () => {
  const state = stateOf(BGP_CLUSTERS['top-of-rack router, every option']);
  const [first] = state.sessions;
  assert.ok(first);
  const channels = [{ family: 4, state: 'UP', imported: 2, filtered: 1, exported: 3, preferred: 2 } as const];
  const rows = sessionReports(state, [up(first.name, { channels })], []);
  assert.deepEqual(
    rows.map(({ state: is, imported }) => [is, imported]),
    state.sessions.map((_, i) => (i === 0 ? ['up', 2] : ['---', 0])),
  );
  assert.equal(rows.find(({ bfd }) => bfd !== undefined)?.bfd, 'Down');
});
