import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { calcBgp } from '#calc/bgp/bgp.ts';
import { birdConf } from '#calc/bgp/bird-conf.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import { BGP_CLUSTERS } from '#calc/testing/bgp-clusters.ts';
import { UNDERLAY } from '#calc/testing/clusters.ts';
import { birdAt } from '#kernel/bird/bird.ts';
import type { Bird, BirdControl } from '#kernel/bird/handle.ts';
import { watchNetlink } from '#kernel/netlink/watch.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { noBird } from '#kernel/testing/bird.ts';
import { type Prefix, parsePrefix } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';
import { poolOf } from '#spec/pool.ts';
import { BirdKeeper } from '#sync/bird.ts';
import { type BirdNode, BirdNodes, bgpStateOf, birdPid, birdRoutes, meshOf, until } from '#sync/testing/bird-pair.ts';
import { printConf } from '#wire/bird/print-conf.ts';
import { readProtocols } from '#wire/bird/show-protocols.ts';
import { readRoutes } from '#wire/bird/show-routes.ts';
import { readStatus } from '#wire/bird/show-status.ts';

function stateOf(snapshot: Snapshot): BgpState {
  const self = snapshot.nodes.find(({ name }) => name === snapshot.local.node);
  const { state } = self ? calcBgp(snapshot, self, UNDERLAY) : {};
  assert.ok(state);
  return state;
}

for (const [name, snapshot] of Object.entries(BGP_CLUSTERS)) {
  test(`BIRD reads the configuration of "${name}"`, { skip: noBird }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'polder-bird-'));
    try {
      const bird = birdAt({ dir, socket: join(dir, 'bird.ctl') });
      const { conf } = birdConf(stateOf(snapshot), () => 'secret');
      assert.equal(await bird.writeConf(printConf(conf)), undefined);
      assert.equal(bird.readConf(), printConf(conf));
      assert.equal(statSync(join(dir, 'bird.conf')).mode & 0o777, 0o600, 'it may hold passwords');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}

/** BIRD reckons a moment anew each time that it is asked, and is some microseconds off. A session made anew takes longer. */
function sameMoment(seen: string | undefined, before: string | undefined): void {
  const apart = Math.abs(Date.parse(seen ?? '') - Date.parse(before ?? ''));
  assert.ok(apart < 100, `${seen} is not ${before}`);
}

test('two nodes hear of each other’s networks, and the kernel has them as `proto bird`', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = start(mesh, meshOf(2));
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).length === 1);
  const shown = inNetns(a.netns, () => spawnSync('ip', ['route', 'show', 'proto', 'bird'], { encoding: 'utf8' }));
  assert.equal(shown.stdout.trimEnd(), '10.244.2.0/24 via 192.168.1.102 dev eth0');
  assert.equal(a.keeper.trouble, undefined);
});

test('a node that starts does not wait for one that is away', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  // node3 is nowhere; whoever recovered would wait for its routes, longer than `until` does.
  const [a, b] = start(mesh, meshOf(3));
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).length === 1);
});

test('a change is loaded softly: the daemon and its sessions stay', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const snapshot = meshOf(2);
  const [a, b] = start(mesh, snapshot);
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).length === 1);
  const [pid, since] = [birdPid(a), await sinceOf(a)];
  const block = parsePrefix('10.244.9.0/26');
  aim(mesh, { ...snapshot, nodes: withNetwork(snapshot, 'node1', block) });
  await until('the new block is heard', () => birdRoutes(b).includes(block));

  const hidden = [poolOf('default', parsePrefix('10.244.0.0/16'), { disableBgpExport: true })];
  aim(mesh, { ...snapshot, nodes: withNetwork(snapshot, 'node1', block), pools: hidden });
  await until('a filter that changes is in force for what was told before', () => birdRoutes(b).length === 0);
  assert.equal(birdPid(a), pid);
  sameMoment(await sinceOf(a), since);
});

test('a BIRD that is killed is started again, and its routes stay all the while', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = start(mesh, meshOf(2));
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).length === 1);
  const gone: string[] = [];
  using _a = watchNetlink(['route'], (event) => event.event === 'route' && event.gone && gone.push(event.route.to), {
    netnsFd: a.netns.fd,
  });
  using _b = watchNetlink(['route'], (event) => event.event === 'route' && event.gone && gone.push(event.route.to), {
    netnsFd: b.netns.fd,
  });
  const pid = birdPid(a);
  process.kill(pid, 'SIGKILL');
  await until('it is said', () => a.said.some((what) => /BIRD has ended/.test(what)));
  await until('it runs again and is as it should be', () => a.said.at(-1) === 'BIRD is as it should be.');
  assert.notEqual(birdPid(a), pid);
  await until('the session is back', async () => /Established/.test(await infoOf(a)));
  assert.deepEqual([birdRoutes(a), birdRoutes(b), gone], [['10.244.2.0/24'], ['10.244.1.0/24'], []]);
});

test('a keeper that is made anew finds the daemon as it is and changes nothing', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const snapshot = meshOf(2);
  const [a] = start(mesh, snapshot);
  await until('it has heard', () => birdRoutes(a).length === 1);
  const [pid, since, configured] = [birdPid(a), await sinceOf(a), await configuredAt(a)];
  await a.endKeeper();
  const next = mesh.keep(a);
  mesh.nodes[0] = next;
  next.keeper.aim({ kind: 'speak', state: bgpStateOf(snapshot, 'node1') });
  await until('it has looked', () => next.keeper.control !== undefined);
  next.keeper.trigger();
  assert.equal(birdPid(next), pid);
  sameMoment(await sinceOf(next), since);
  sameMoment(await configuredAt(next), configured);
});

test('a BIRD that is asked many things at once answers all of them', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(1);
  const [{ keeper }] = start(mesh, meshOf(1));
  await until('it runs', () => keeper.control !== undefined);
  const asked = Array.from({ length: 1000 }, (_, i) => keeper.control?.ask(`show route for 10.244.1.${i % 256} all`));
  const answers = await Promise.all(asked);
  assert.deepEqual(new Set(answers.map((reply) => reply && readRoutes(reply)[0]?.net)), new Set(['10.244.1.0/24']));
});

test('an agent that was killed after a change was loaded: the next one has the old routes judged anew', {
  skip: noBird,
}, async () => {
  await using mesh = new BirdNodes(2);
  const snapshot = meshOf(2);
  const [a, b] = start(mesh, snapshot);
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).length === 1);
  await a.endKeeper();
  const pools = [poolOf('default', parsePrefix('10.244.0.0/16'), { disableBgpExport: true })];
  const bird = birdAt(a.files);
  const load: Bird = {
    readConf: () => bird.readConf(),
    writeConf: (text) => bird.writeConf(text),
    removeConf: () => {},
    trimLog: () => {},
    get owes() {
      return bird.owes;
    },
    set owes(owes) {
      bird.owes = owes;
    },
    // As far as `configure soft`, and no command more.
    connect: async () => cutOffAfterLoading(await bird.connect()),
    start: (how) => bird.start(how),
  };
  const killed = new BirdKeeper({ bird: load, passwordOf: () => undefined, sweep: () => {} });
  const stop = new AbortController();
  killed.aim({ kind: 'speak', state: bgpStateOf({ ...snapshot, pools }, 'node1') });
  const running = killed.run(stop.signal);
  await until('it is loaded', () => killed.trouble === 'it was killed.');
  stop.abort();
  await running;
  assert.deepEqual(birdRoutes(b), ['10.244.1.0/24'], 'the old route still stands');
  const next = mesh.keep(a);
  mesh.nodes[0] = next;
  next.keeper.aim({ kind: 'speak', state: bgpStateOf({ ...snapshot, pools }, 'node1') });
  await until('what must not be told is taken back', () => birdRoutes(b).length === 0);
});

/** Answers no command that reloads. */
function cutOffAfterLoading(control: BirdControl | undefined): BirdControl | undefined {
  if (!control) return undefined;
  return {
    ask: (command) => (/^reload/.test(command) ? Promise.reject(new Error('it was killed')) : control.ask(command)),
    onSaid: (handler) => control.onSaid(handler),
    closed: control.closed,
    close: () => control.close(),
    [Symbol.dispose]: () => control.close(),
  };
}

test('a log that has become long is put aside, and BIRD goes on writing', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a, b] = start(mesh, meshOf(2));
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).length === 1);
  const log = join(a.files.dir, 'bird.log');
  appendFileSync(log, 'x'.repeat(5 * 1024 * 1024));
  a.keeper.trigger();
  await until('it is put aside', () => existsSync(`${log}.1`) && statSync(log).size < 1024 * 1024);
  process.kill(birdPid(b), 'SIGKILL');
  await until('it is written on', () => /State changed to/.test(readFileSync(log, 'utf8')));
});

test('a node that speaks no BGP any more keeps nothing of BIRD', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(2);
  const [a] = start(mesh, meshOf(2));
  await until('it has heard', () => birdRoutes(a).length === 1);
  a.keeper.aim({ kind: 'silent' });
  await until('its routes are gone', () => birdRoutes(a).length === 0);
  await until('its configuration is gone', () => !existsSync(join(a.files.dir, 'bird.conf')));
  assert.throws(() => birdPid(a), /There are 0 BIRDs/);
});

test('a configuration that BIRD does not take leaves the one before in force, and is said', {
  skip: noBird,
}, async () => {
  await using mesh = new BirdNodes(1);
  const [a] = start(mesh, meshOf(1));
  await until('it runs', () => a.keeper.control !== undefined && a.keeper.trouble === undefined);
  const state = bgpStateOf(meshOf(2), 'node1');
  const twice = state.sessions.flatMap((session) => [session, session]);
  a.keeper.aim({ kind: 'speak', state: { ...state, sessions: twice } });
  await until('it is said', () => a.keeper.trouble !== undefined);
  assert.match(
    a.keeper.trouble ?? '',
    /^BIRD does not take its configuration: bird: bird\.conf:\d+:\d+ .*Mesh_192_168_1_102/,
  );
  assert.match(await infoOf(a), /^$/);
});

test('a node without BIRD says what is missing', { skip: noBird }, async () => {
  await using mesh = new BirdNodes(1);
  const [a] = mesh.nodes;
  assert.ok(a);
  await a.endKeeper();
  const without = mesh.keep({ ...a, files: { ...a.files, program: 'no-such-bird' } });
  mesh.nodes[0] = without;
  without.keeper.aim({ kind: 'speak', state: bgpStateOf(meshOf(1), 'node1') });
  await until('it is said', () => without.keeper.trouble !== undefined);
  assert.equal(without.keeper.trouble, 'BIRD is not installed on this node: there is no program bird.');
});

/** Aims every keeper at the snapshot. */
function aim(mesh: BirdNodes, snapshot: Snapshot): void {
  for (const { name, keeper } of mesh.nodes) keeper.aim({ kind: 'speak', state: bgpStateOf(snapshot, name) });
}

function start(mesh: BirdNodes, snapshot: Snapshot): [BirdNode, BirdNode] {
  aim(mesh, snapshot);
  const [a, b] = mesh.nodes;
  assert.ok(a);
  return [a, b ?? a];
}

function withNetwork({ nodes }: Snapshot, name: string, network: Prefix): ClusterNode[] {
  return nodes.map((node) => (node.name === name ? { ...node, networks: [...node.networks, network] } : node));
}

async function sessionOf({ keeper }: BirdNode) {
  const reply = await keeper.control?.ask('show protocols all');
  return reply && readProtocols(reply).find(({ kind }) => kind === 'BGP');
}

/** Since when the first session stands. */
async function sinceOf(node: BirdNode): Promise<string> {
  return (await sessionOf(node))?.since ?? '';
}

async function infoOf(node: BirdNode): Promise<string> {
  return (await sessionOf(node))?.info ?? '';
}

async function configuredAt({ keeper }: BirdNode): Promise<string> {
  const reply = await keeper.control?.ask('show status');
  return reply ? readStatus(reply).lastReconfiguration : '';
}
