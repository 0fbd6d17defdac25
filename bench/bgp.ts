/**
 * `bgp`: a node with 200 peers and 20 000 routes. From a new value of the cluster's settings to the last peer that has heard
 * of it: ours (calculation, text, `bird -p`, soft reload) against a person who has the text ready and says `birdc configure`,
 * and against BIRD started anew. Two nodes alike, each with its own peers, take turns.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makePlace, NODE_ADDR, PEERS, Peers, type Place, peerAddr, ROUTES } from '#bench/bgp/peers.ts';
import { type Bench, type Benchmark, type Measured, pairwise, timed } from '#bench/harness.ts';
import { calcBgp } from '#calc/bgp/bgp.ts';
import { birdConf } from '#calc/bgp/bird-conf.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import { bgpCluster, bgpNode } from '#calc/testing/bgp-clusters.ts';
import { birdAt } from '#kernel/bird/bird.ts';
import { connectBird } from '#kernel/bird/control.ts';
import { ifAddr, type Prefix, parsePrefix } from '#net/prefix.ts';
import type { Snapshot } from '#spec/cluster.ts';
import { poolOf } from '#spec/pool.ts';
import { BirdKeeper } from '#sync/bird.ts';
import { birdPid } from '#sync/testing/bird-pair.ts';
import { printConf } from '#wire/bird/print-conf.ts';
import { PROTO_BIRD } from '#wire/netlink/values.ts';

export const benchmark: Benchmark = {
  name: 'bgp',
  about: `a change of configuration with ${PEERS} peers and ${ROUTES} routes, against birdc by hand and a new start`,
  run,
};

const PAIRS = 20;
const RESTARTS = 3;
/** What the whole may take, ms. */
const ALLOWED_MS = 1000;
/** A person at the keyboard has nothing to calculate, print or check: we may take as long again. */
const TARGET = 2;

const OWN = parsePrefix('10.244.0.0/26');
const MORE = parsePrefix('10.244.0.64/26');
const HIDEABLE = parsePrefix('172.20.1.0/26');

interface Wish {
  /** Whether the node has a second block. */
  readonly more: boolean;
  /** Whether peers are told of the second pool. */
  readonly hidden: boolean;
}

const PLAIN: Wish = { more: false, hidden: false };

function snapshotOf({ more, hidden }: Wish): Snapshot {
  const networks = [OWN, HIDEABLE, ...(more ? [MORE] : [])];
  const self = bgpNode('node1', 1, { addr: NODE_ADDR, addrs: [NODE_ADDR], networks });
  const others = Array.from({ length: PEERS }, (_, i) => {
    const addr = peerAddr(i + 1);
    return bgpNode(`peer${i + 1}`, 1, { addr, addrs: [addr], networks: [] });
  });
  const pools = [
    poolOf('default', parsePrefix('10.0.0.0/8')),
    poolOf('second', parsePrefix('172.20.0.0/16'), { disableBgpExport: hidden }),
  ];
  return bgpCluster({ nodes: [self, ...others], pools });
}

function stateOf(snapshot: Snapshot): BgpState {
  const [self] = snapshot.nodes;
  const underlay = { ifname: 'eth0', addrs: [ifAddr(NODE_ADDR, 16)], mtu: 1500 };
  const state = self && calcBgp(snapshot, self, underlay).state;
  if (!state) throw new Error('there is no BGP to measure');
  return state;
}

interface Side extends AsyncDisposable {
  readonly peers: Peers;
  /** Milliseconds from the wish to the last peer that knows. */
  take(wish: Wish, net: Prefix, told: boolean): Promise<number>;
  rssMb(): number;
}

async function run(bench: Bench): Promise<readonly Measured[]> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'polder-bgp-'));
  stack.defer(() => rmSync(dir, { recursive: true }));
  bench.progress(`two nodes, ${PEERS} peers and ${ROUTES} routes each`);
  const before = process.memoryUsage.rss();
  const ours = stack.use(await ourSide(`${dir}/ours`, bench.signal));
  const grown = Math.round((process.memoryUsage.rss() - before) / 2 ** 20);
  const hand = stack.use(await handSide(`${dir}/hand`));
  bench.note(`the process of the benchmark grew by ${grown} MB as it began to keep BIRD for ${PEERS} peers.`);
  const changes = await compared(bench, ours, hand);
  const memory = { ours: [ours.rssMb()], baseline: { name: 'the same by hand', samples: [hand.rssMb()] } };
  const restart = await restarted(bench, hand);
  const [first] = changes;
  return [
    ...changes,
    ...changes.map(({ case: name, ours: samples }) => allowed(name, samples)),
    { case: 'a block more', unit: 'ms', ours: first?.ours ?? [], baseline: { name: 'BIRD anew', samples: restart } },
    { case: 'resident memory of BIRD', unit: 'MB', ...memory },
  ];
}

async function compared(bench: Bench, ours: Side, hand: Side): Promise<Measured[]> {
  const cases: readonly [string, Prefix, (on: boolean) => Wish, (on: boolean) => boolean][] = [
    ['a block more or less', MORE, (on) => ({ ...PLAIN, more: on }), (on) => on],
    ['a filter of all peers', HIDEABLE, (on) => ({ ...PLAIN, hidden: on }), (on) => !on],
  ];
  const measured: Measured[] = [];
  for (const [name, net, wish, told] of cases) {
    bench.progress(name);
    const turn = (side: Side) => (i: number) => side.take(wish(i % 2 === 0), net, told(i % 2 === 0));
    const samples = await pairwise(PAIRS, turn(ours), turn(hand));
    const baseline = { name: 'birdc configure', samples: samples.baseline };
    measured.push({ case: name, unit: 'ms', ours: samples.ours, baseline, target: TARGET });
  }
  return measured;
}

function allowed(name: string, ours: readonly number[]): Measured {
  return { case: name, unit: 'ms', ours, baseline: { name: 'allowed', samples: [ALLOWED_MS] }, target: 1, at: 'p99' };
}

/** Milliseconds from the end of BIRD until its peers know again what it had to say. */
async function restarted(bench: Bench, hand: Awaited<ReturnType<typeof handSide>>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < RESTARTS; i++) {
    bench.progress(`BIRD anew, ${i + 1} of ${RESTARTS}`);
    samples.push(await hand.restart());
  }
  return samples;
}

async function ourSide(dir: string, signal: AbortSignal): Promise<Side> {
  await using made = new AsyncDisposableStack();
  const place = made.use(makePlace());
  const peers = made.use(await Peers.start(place, `${dir}-peers`));
  const files = { dir, socket: `${dir}/bird.ctl`, netns: place.node };
  made.defer(() => down(files.socket));
  const keeper = new BirdKeeper({
    bird: birdAt(files),
    passwordOf: () => undefined,
    sweep: () => {},
    recovers: () => false,
  });
  const stop = new AbortController();
  const running = keeper.run(AbortSignal.any([signal, stop.signal]));
  made.defer(async () => {
    stop.abort();
    await running;
  });
  const aim = (wish: Wish) => keeper.aim({ kind: 'speak', state: stateOf(snapshotOf(wish)) });
  aim(PLAIN);
  await ready(place, peers);
  const stack = made.move();
  return {
    peers,
    take: (wish, net, told) =>
      timed(async () => {
        aim(wish);
        await peers.until(net, told);
      }),
    rssMb: () => residentMb(birdPid({ files })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function handSide(dir: string): Promise<Side & { restart(): Promise<number> }> {
  await using made = new AsyncDisposableStack();
  const place = made.use(makePlace());
  const peers = made.use(await Peers.start(place, `${dir}-peers`));
  const files = { dir, socket: `${dir}/bird.ctl`, netns: place.node };
  made.defer(() => down(files.socket));
  const bird = birdAt(files);
  const start = async () => (await bird.start({ recover: false })).close();
  await bird.writeConf(textOf(PLAIN));
  await start();
  await ready(place, peers);
  const stack = made.move();
  return {
    peers,
    take: async (wish, net, told) => {
      // Whoever does it by hand has the file ready.
      writeFileSync(`${dir}/bird.conf`, textOf(wish));
      return timed(async () => {
        await birdc(files.socket, 'configure');
        await peers.until(net, told);
      });
    },
    restart: () =>
      timed(async () => {
        await down(files.socket);
        await peers.until(OWN, false);
        await start();
        await peers.until(OWN, true);
      }),
    rssMb: () => residentMb(birdPid({ files })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function textOf(wish: Wish): string {
  return printConf(birdConf(stateOf(snapshotOf(wish)), () => undefined).conf);
}

/** Every session stands, and the kernel has all routes. */
async function ready({ netlink }: Place, peers: Peers): Promise<void> {
  await peers.until(OWN, true);
  while (netlink.routes({ protocol: PROTO_BIRD }).length < ROUTES) await delay(100);
}

async function birdc(socket: string, command: string): Promise<void> {
  const child = spawn('birdc', ['-s', socket, command], { stdio: 'ignore' });
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`birdc ${command} ends with status ${status}`);
}

async function down(socket: string): Promise<void> {
  using control = await connectBird(socket);
  await control?.ask('down');
  await control?.closed;
}

/** VmRSS of proc(5), MB. */
function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb ?? 0) / 1024;
}
