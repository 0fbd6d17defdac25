import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { ending, failed, printReply, type Reply, ReplyDecoder, type ReplyLine } from '#wire/bird/reply.ts';
import { readProtocols } from '#wire/bird/show-protocols.ts';
import { asPathOf, readRoutes } from '#wire/bird/show-routes.ts';
import { readBfdSessions, readStatus } from '#wire/bird/show-status.ts';

/** Answers of a sample, without the greeting. */
function sample(name: string): Reply[] {
  const text = readFileSync(join(import.meta.dirname, 'samples', `${name}.txt`), 'utf8');
  return new ReplyDecoder().push(text).slice(1);
}

function first(name: string): Reply {
  const [reply] = sample(name);
  assert.ok(reply);
  return reply;
}

const line: fc.Arbitrary<ReplyLine> = fc.record(
  { code: fc.integer({ min: 0, max: 9999 }), text: fc.string().filter((text) => !text.includes('\n')) },
  { noNullPrototype: true },
);
const reply = fc.array(line, { minLength: 1, maxLength: 8 }).map((lines) => ({ lines }));

test('ReplyDecoder gives back what printReply wrote, in whatever pieces it comes', () => {
  const replies = fc.array(reply, { maxLength: 5 });
  fc.assert(
    fc.property(replies, fc.array(fc.nat(200), { maxLength: 20 }), (all, cuts) => {
      const text = all.map(printReply).join('');
      const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
      const decoder = new ReplyDecoder();
      const got = places.slice(1).flatMap((end, i) => decoder.push(text.slice(places[i], end)));
      assert.deepEqual(got, all);
    }),
  );
});

test('ReplyDecoder and the readers answer anything with a value or a SyntaxError', () => {
  const noise = fc.oneof(fc.string(), fc.stringMatching(/^(\d{4}[ -].{0,60}\n| .{0,60}\n){0,12}$/));
  fc.assert(
    fc.property(noise, (text) => {
      try {
        for (const each of new ReplyDecoder().push(text)) {
          readProtocols(each);
          readRoutes(each);
          readBfdSessions(each);
          readStatus(each);
        }
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('ReplyDecoder gives what is said unasked to its listener and keeps it out of answers', () => {
  const said: string[] = [];
  const decoder = new ReplyDecoder((text) => said.push(text));
  const replies = ['+Mesh_1: State cha', 'nged to up\n00', '00 \n'].flatMap((piece) => decoder.push(piece));
  assert.deepEqual(replies, [{ lines: [{ code: 0, text: '' }] }]);
  assert.deepEqual(said, ['Mesh_1: State changed to up']);
});

test('ReplyDecoder reads on where BIRD had more to say than was read', () => {
  const said: string[] = [];
  const decoder = new ReplyDecoder((text) => said.push(text));
  assert.deepEqual(decoder.push('<91 messages lost>\n+Mesh_1: Reconfigured\n0003 Reconfigured\n').length, 1);
  assert.deepEqual(said, ['<91 messages lost>', 'Mesh_1: Reconfigured']);
});

test('failed tells refusals from answers', () => {
  const replies = sample('errors');
  assert.deepEqual(replies.map(failed), [true, true, true, false, false]);
  assert.equal(ending(replies[1] ?? { lines: [] }).text, '/nonexist: No such file or directory');
});

test('readProtocols reads sessions that stand', () => {
  const mesh = readProtocols(first('protocols-all')).find(({ name }) => name === 'Mesh_1');
  assert.deepEqual(mesh, {
    name: 'Mesh_1',
    kind: 'BGP',
    state: 'up',
    since: '2026-11-29 03:00:22.917298',
    info: 'Established',
    description: 'node-to-node mesh',
    bgp: {
      state: 'Established',
      neighbor: '192.168.1.102',
      neighborAs: 64512,
      localAs: 64512,
      source: '192.168.1.101',
      session: 'internal multihop AS4',
      neighborId: '192.168.1.102',
      addPathTx: [],
    },
    channels: [
      { family: 4, state: 'UP', imported: 2, filtered: 1, exported: 3, preferred: 2 },
      { family: 6, state: 'UP', imported: 1, filtered: 0, exported: 1, preferred: 1 },
    ],
  });
});

test('readProtocols reads sessions that do not stand, and why', () => {
  const all = readProtocols(first('protocols-all'));
  const states = all.filter(({ bgp }) => bgp).map(({ name, state, bgp }) => [name, state, bgp?.state, bgp?.lastError]);
  assert.deepEqual(states, [
    ['Mesh_1', 'up', 'Established', undefined],
    ['Global_1', 'start', 'Connect', 'Socket: No route to host'],
    ['Global_2', 'start', 'Active', 'Socket: Connection refused'],
  ]);
  assert.deepEqual(
    all.filter(({ bgp }) => !bgp).map(({ kind }) => kind),
    ['Device', 'Direct', 'Kernel', 'Kernel', 'Static', 'Static', 'BFD'],
  );
});

test('readRoutes reads routes of every kind with their attributes', () => {
  const routes = readRoutes(first('route-all'));
  const tunnel = routes.find(({ net }) => net === '10.244.2.0/26');
  assert.deepEqual(tunnel, {
    net: '10.244.2.0/26',
    table: 'master4',
    dest: 'unicast',
    proto: 'Mesh_1',
    since: tunnel?.since,
    chosen: true,
    refused: false,
    preference: 100,
    unresolved: false,
    hops: [{ via: '192.168.1.102', ifname: 'tunl0', onlink: true }],
    source: 'BGP',
    attributes: {
      'BGP.origin': 'IGP',
      'BGP.as_path': '',
      'BGP.next_hop': '192.168.1.102',
      'BGP.local_pref': '100',
      'BGP.community': '(65000,100)',
      'BGP.large_community': '(1, 2, 3)',
    },
  });
  assert.deepEqual(
    routes.map(({ table, dest, refused }) => `${table} ${dest}${refused ? ' refused' : ''}`).filter((s) => /6/.test(s)),
    ['master6 blackhole', 'master6 unicast refused'],
  );
});

test('readRoutes reads further ways to one network', () => {
  const text =
    '1007-Table master4:\n 10.1.0.0/16          unicast [A 2026-11-29 03:00:22.1] * (100) [AS64600i]\n' +
    ' \tvia 192.168.1.2 on eth0\n1008-\tType: BGP univ\n1012-\tBGP.as_path: 64600 64601\n' +
    '1007-                     unicast [B 2026-11-29 03:00:22.1 from 192.168.1.9] (100/?) [i]\n \tvia 192.168.1.3 on eth0\n0000 \n';
  const [a, b] = readRoutes(new ReplyDecoder().push(text)[0] ?? { lines: [] });
  assert.deepEqual([a?.chosen, b?.chosen, b?.net, b?.proto], [true, false, '10.1.0.0/16', 'B']);
  assert.deepEqual(a && asPathOf(a), [64600, 64601]);
});

test('readStatus and readBfdSessions read their samples', () => {
  const status = readStatus(first('status'));
  assert.equal(status.version, '2.0.12');
  assert.equal(status.routerId, '192.168.1.101');
  assert.equal(status.summary, 'Daemon is up and running');
  assert.deepEqual(
    readBfdSessions(first('bfd')).map(({ addr, state, interval }) => [addr, state, interval]),
    [[parseAddr('192.168.1.102'), 'Up', 0.1]],
  );
});

test('readRoutes reads what an import filter rejected', () => {
  assert.deepEqual(
    readRoutes(first('filtered')).map(({ net }) => net),
    [parsePrefix('10.246.2.0/24')],
  );
});
