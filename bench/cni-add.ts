/**
 * `cni-add`: a pod onto the network and off again: our shim and agent against the reference `bridge` + `host-local`
 * without masquerade, each from the start of the executable to its end, in a throw-away network namespace.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type Attachment,
  buildTimer,
  burst,
  call,
  ourSide,
  REFERENCE,
  referenceSide,
  type Side,
} from '#bench/cni-add/sides.ts';
import { type Bench, type Benchmark, type Measured, pairwise, timed } from '#bench/harness.ts';
import { moveToNetns } from '#kernel/netns/enter.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

export const benchmark: Benchmark = {
  name: 'cni-add',
  about: 'ADD and DEL through shim and agent against the reference bridge + host-local, without masquerade',
  run,
};

const PAIRS = 200;
const WARM_UP = 10;
const BURST = 100;
const ROUNDS = 5;

/** Longer than RCU takes to end a deletion that was answered before: it is not to run under the other side's feet. */
const SETTLE_MS = 40;
const SETTLE_BURST_MS = 500;

interface Pairs {
  readonly ours: number[];
  readonly baseline: number[];
}

async function run(bench: Bench): Promise<readonly Measured[]> {
  for (const plugin of ['bridge', 'host-local']) {
    const path = join(REFERENCE, plugin);
    if (!existsSync(path)) throw new Error(`There is no ${path}: install containernetworking-plugins`);
  }
  spawnSync('sh', [fileURLToPath(new URL('../native/build.sh', import.meta.url)), '-q'], { stdio: 'inherit' });
  const dir = mkdtempSync(join(tmpdir(), 'polder-bench-'));
  using _ = { [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
  using netns = scratchNetns();
  moveToNetns(netns);
  const reference = referenceSide(dir);
  return [...(await routed(bench, dir, reference)), ...(await bridged(bench, dir, reference))];
}

async function routed(bench: Bench, dir: string, reference: Side): Promise<Measured[]> {
  const { name } = reference;
  await using ours = await ourSide(dir, 'routed');
  const { add, del } = await onePod(bench, buildTimer(dir), ours, reference, 'routed', PAIRS);
  const many = await manyPods(bench, ours, reference);
  const each = (ms: number) => ms / BURST;
  const rate = (ms: number) => (BURST * 1000) / ms;
  return [
    measured('ADD routed, median', add, name, 0.25),
    { ...measured('ADD routed, p99', add, name, 0.25), at: 'p99' },
    { ...measured(`ADD, ${BURST} at once`, mapped(many.add, rate), name, 5), unit: 'pods/s', better: 'higher' },
    measured('DEL routed, median', del, name, 0.7),
    measured(`DEL, each of ${BURST} at once`, mapped(many.del, each), name, 0.15),
  ];
}

/** The same layout as the reference's, for those who want like compared with like. */
async function bridged(bench: Bench, dir: string, reference: Side): Promise<Measured[]> {
  await using ours = await ourSide(dir, 'bridge');
  const { add, del } = await onePod(bench, buildTimer(dir), ours, reference, 'bridge', PAIRS / 4);
  return [
    measured('ADD bridge, median', add, reference.name, 0.25),
    measured('DEL bridge, median', del, reference.name, 0.7),
  ];
}

function measured(what: string, pairs: Pairs, name: string, target: number): Measured {
  return { case: what, unit: 'ms', ours: pairs.ours, baseline: { name, samples: pairs.baseline }, target };
}

function mapped(pairs: Pairs, of: (ms: number) => number): Pairs {
  return { ours: pairs.ours.map(of), baseline: pairs.baseline.map(of) };
}

/** One pod after another, in a namespace that is used again. */
async function onePod(bench: Bench, timer: string, ours: Side, reference: Side, what: Attachment, count: number) {
  bench.progress(`${what}: ${count} pairs of one pod`);
  using pod = scratchNetns();
  const del: Pairs = { ours: [], baseline: [] };
  const round = (side: Side, dels: number[]) => async (i: number) => {
    bench.signal.throwIfAborted();
    const add = call(timer, side, 'ADD', pod, `c${i}`);
    dels.push(call(timer, side, 'DEL', pod, `c${i}`));
    await sleep(SETTLE_MS);
    return add;
  };
  await pairwise(WARM_UP, round(ours, []), round(reference, []));
  const add: Pairs = await pairwise(count, round(ours, del.ours), round(reference, del.baseline));
  return { add, del };
}

async function manyPods(bench: Bench, ours: Side, reference: Side) {
  bench.progress(`${ROUNDS} rounds of ${BURST} pods at once`);
  const pods = Array.from({ length: BURST }, scratchNetns);
  using _ = { [Symbol.dispose]: () => pods.forEach((pod) => void pod.close()) };
  const del: Pairs = { ours: [], baseline: [] };
  const round = (side: Side, dels: number[]) => async (i: number) => {
    bench.signal.throwIfAborted();
    const add = await timed(() => burst(side, 'ADD', pods, `b${i}`));
    await sleep(SETTLE_MS);
    dels.push(await timed(() => burst(side, 'DEL', pods, `b${i}`)));
    await sleep(SETTLE_BURST_MS);
    return add;
  };
  await pairwise(1, round(ours, []), round(reference, []));
  const add: Pairs = await pairwise(ROUNDS, round(ours, del.ours), round(reference, del.baseline));
  return { add, del };
}
