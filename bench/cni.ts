/**
 * `cni`: ADD and DEL of each plugin type that the reference set has, ours (shim and agent, and without an agent) against
 * it with the same configuration, each from the start of the executable to its end, in a throw-away network namespace.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type AloneSide, aloneSide } from '#bench/cni-add/alone.ts';
import { callChain, LATER, type Link } from '#bench/cni-add/chain.ts';
import {
  build,
  buildTimer,
  burst,
  type Conf,
  call,
  floorSide,
  type OurServer,
  REFERENCE,
  referenceOf,
  type Side,
  startServer,
} from '#bench/cni-add/sides.ts';
import { type Bench, type Benchmark, type Measured, pairwise, timed } from '#bench/harness.ts';
import { moveToNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

export const benchmark: Benchmark = {
  name: 'cni',
  about: 'ADD and DEL of each plugin type through shim and agent against the reference plugin',
  run,
};

const PAIRS = 40;
const WARM_UP = 5;
const BURST = 200;
const TARGET = 0.3;

/** Without an agent. */
const ALONE_TARGET = 2.5;
const FIRST_PAIRS = 15;
const ALONE_CASES = ['bridge', 'bridge, ipMasq', 'host-local', 'loopback'];

/** Longer than RCU takes to end a deletion that was answered before. */
const SETTLE_MS = 40;

/** What each side has of its own: a bridge, a device, a network and a folder of addresses. */
interface Own {
  readonly device: string;
  readonly bridge: string;
  readonly ipam: object;
}

/** The reference's `ipMasq` runs iptables; ours is an element of an nftables map. */
const CASES: Readonly<Record<string, (own: Own) => Omit<Conf, 'name'> & { readonly type: string }>> = {
  bridge: ({ bridge, ipam }) => ({ type: 'bridge', bridge, isGateway: true, ipam }),
  'bridge, ipMasq': ({ bridge, ipam }) => ({
    type: 'bridge',
    bridge: `${bridge}m`,
    isDefaultGateway: true,
    ipMasq: true,
    ipam,
  }),
  ptp: ({ ipam }) => ({ type: 'ptp', ipam }),
  'ptp, ipMasq': ({ ipam }) => ({ type: 'ptp', ipMasq: true, ipam }),
  macvlan: ({ ipam }) => ({ type: 'macvlan', master: 'up0', ipam }),
  'host-device': ({ device, ipam }) => ({ type: 'host-device', device, ipam }),
  loopback: () => ({ type: 'loopback' }),
  'host-local': ({ ipam }) => ({ type: 'host-local', ipam }),
  static: () => ({ type: 'static', ipam: { type: 'static', addresses: [{ address: '10.9.0.5/24' }] } }),
};

async function run(bench: Bench): Promise<readonly Measured[]> {
  if (!existsSync(join(REFERENCE, 'bridge')))
    throw new Error(`There is no ${REFERENCE}/bridge: install containernetworking-plugins`);
  spawnSync('sh', [fileURLToPath(new URL('../native/build.sh', import.meta.url)), '-q'], { stdio: 'inherit' });
  const dir = mkdtempSync(join(tmpdir(), 'polder-bench-'));
  using _ = { [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
  using netns = scratchNetns();
  moveToNetns(netns);
  for (const [a, b] of [
    ['up0', 'up1'],
    ['devo', 'devo1'],
    ['devr', 'devr1'],
    // A node has an interface of the name that its pods' have.
    ['eth0', 'eth1'],
  ] as const) {
    spawnSync('sh', ['-c', `ip link add ${a} type veth peer name ${b}; ip link set ${a} up; ip link set ${b} up`]);
  }
  await using server = await startServer(join(dir, 'server'), 'routed');
  const timer = buildTimer(dir);
  const measured: Measured[] = [];
  for (const [what, conf] of Object.entries(CASES)) {
    measured.push(...(await onePod(bench, timer, what, sidesOf(dir, server, what, conf))));
  }
  measured.push(...(await floors(bench, timer, dir)));
  measured.push(...(await chained(bench, timer, dir, server)));
  for (const what of ALONE_CASES) measured.push(...(await withoutAgent(bench, timer, dir, what)));
  return [
    ...measured,
    await together(
      bench,
      sidesOf(dir, server, 'burst', (own) => ({ ...bridgeOf(own), mtu: 1400 })),
    ),
  ];
}

function bridgeOf({ bridge, ipam }: Own) {
  return { type: 'bridge', bridge: `${bridge}b`, isGateway: true, ipam };
}

interface Sides<Ours extends Side = Side> {
  readonly ours: Ours;
  readonly reference: Side;
}

type ConfOf = (own: Own) => Omit<Conf, 'name'>;

function sidesOf(dir: string, server: OurServer, what: string, conf: ConfOf): Sides {
  return pairOf(dir, what, conf, server.side);
}

function pairOf<Ours extends Side>(
  dir: string,
  what: string,
  conf: ConfOf,
  ours: (dir: string, conf: Conf) => Ours,
): Sides<Ours> {
  const at = join(dir, what.replaceAll(/\W+/g, '-'));
  const own = (side: 'o' | 'r', net: number): Conf => {
    const ipam = { type: 'host-local', subnet: `10.${net}.0.0/16`, dataDir: `${at}-${side}-ipam` };
    return { type: '', ...conf({ device: `dev${side}`, bridge: `br${side}`, ipam }), name: `net-${side}` };
  };
  return { ours: ours(`${at}-ours`, own('o', 201)), reference: referenceOf(`${at}-reference`, own('r', 200)) };
}

async function onePod(bench: Bench, timer: string, what: string, sides: Sides): Promise<Measured[]> {
  bench.progress(`${what}: ${PAIRS} pairs`);
  using pod = scratchNetns();
  await pairs(bench, timer, sides, pod, WARM_UP);
  const { add, del } = await pairs(bench, timer, sides, pod, PAIRS);
  return [measured(`${what}: ADD`, add), measured(`${what}: DEL`, del)];
}

/** How low the kernel lets a plugin come: a program that only sends the requests, against the reference plugin. */
async function floors(bench: Bench, timer: string, dir: string): Promise<Measured[]> {
  const program = build(dir, 'floor');
  const measured: Measured[] = [];
  for (const [what, name] of Object.entries({ bridge: 'brob', 'host-device': 'devo', loopback: 'lo' })) {
    bench.progress(`${what}, the kernel alone: ${FIRST_PAIRS} pairs`);
    const conf = CASES[what];
    if (!conf) throw new RangeError(`There is no case ${what}`);
    if (what === 'bridge') spawnSync('sh', ['-c', `ip link add ${name} type bridge; ip link set ${name} up`]);
    using pod = scratchNetns();
    const sides = pairOf(dir, `${what} floor`, conf, () => floorSide(dir, program, [what, name]));
    await pairs(bench, timer, sides, pod, WARM_UP);
    const { add, del } = await pairs(bench, timer, sides, pod, FIRST_PAIRS);
    measured.push(shown(`${what}, the kernel alone: ADD`, add), shown(`${what}, the kernel alone: DEL`, del));
  }
  return measured;
}

/** Without a target. */
function shown(what: string, samples: Samples): Measured {
  const { target: _, ...rest } = measured(what, samples);
  return rest;
}

/** All executables of the list together. */
async function chained(bench: Bench, timer: string, dir: string, server: OurServer): Promise<Measured[]> {
  const what = 'bridge, ipMasq, portmap, bandwidth';
  bench.progress(`${what}: ${PAIRS} pairs`);
  using pod = scratchNetns();
  const chains = { ours: chainOf(dir, 'o', 211, server.side), reference: chainOf(dir, 'r', 210, referenceOf) };
  const round = (chain: readonly Link[], dels: number[]) => async (i: number) => {
    bench.signal.throwIfAborted();
    const { ADD, DEL } = callChain(timer, chain, pod, `c${i}`);
    dels.push(DEL);
    await sleep(SETTLE_MS);
    return ADD;
  };
  await pairwise(WARM_UP, round(chains.ours, []), round(chains.reference, []));
  const del: Samples = { ours: [], baseline: [] };
  const add = await pairwise(PAIRS, round(chains.ours, del.ours), round(chains.reference, del.baseline));
  return [measured(`${what}: ADD`, add), measured(`${what}: DEL`, del)];
}

function chainOf(dir: string, side: 'o' | 'r', net: number, sideOf: (dir: string, conf: Conf) => Side): Link[] {
  const ipam = { type: 'host-local', subnet: `10.${net}.0.0/16`, dataDir: join(dir, `chain-${side}-ipam`) };
  const first = { type: 'bridge', bridge: `br${side}c`, isDefaultGateway: true, ipMasq: true, ipam };
  return [first, ...LATER].map((own): Link => {
    const conf: Conf = { ...own, name: `net-${side}` };
    return { side: sideOf(join(dir, `chain-${side}-${conf.type}`), conf), conf };
  });
}

/** The call that starts a worker, and those that it serves: a runtime sees both. */
async function withoutAgent(bench: Bench, timer: string, dir: string, what: string): Promise<Measured[]> {
  const conf = CASES[what];
  if (!conf) throw new RangeError(`There is no case ${what}`);
  const sides: Sides<AloneSide> = pairOf(dir, `${what} alone`, conf, aloneSide);
  bench.progress(`${what}, no agent: ${FIRST_PAIRS} first calls, ${PAIRS} pairs of later ones`);
  using pod = scratchNetns();
  // The very first of an installation compiles, too; Node keeps what it made.
  await pairs(bench, timer, sides, pod, 1);
  const first = await pairs(bench, timer, sides, pod, FIRST_PAIRS, () => sides.ours.endWorker());
  const later = await pairs(bench, timer, sides, pod, PAIRS);
  await sides.ours.endWorker();
  return [
    { ...measured(`${what}, no agent, first call: ADD`, first.add), target: ALONE_TARGET },
    { ...measured(`${what}, no agent, later: ADD`, later.add), target: ALONE_TARGET },
    { ...measured(`${what}, no agent, later: DEL`, later.del), target: ALONE_TARGET },
  ];
}

interface Samples {
  readonly ours: number[];
  readonly baseline: number[];
}

async function pairs(bench: Bench, timer: string, sides: Sides, pod: Netns, count: number, before = async () => {}) {
  const del: Samples = { ours: [], baseline: [] };
  const round = (side: Side, dels: number[]) => async (i: number) => {
    bench.signal.throwIfAborted();
    if (side === sides.ours) await before();
    const add = call(timer, side, 'ADD', pod, `c${i}`);
    dels.push(call(timer, side, 'DEL', pod, `c${i}`));
    await sleep(SETTLE_MS);
    return add;
  };
  const add: Samples = await pairwise(count, round(sides.ours, del.ours), round(sides.reference, del.baseline));
  return { add, del };
}

function measured(what: string, { ours, baseline }: Samples): Measured {
  return { case: what, unit: 'ms', ours, baseline: { name: 'reference', samples: baseline }, target: TARGET };
}

/** All at once: none fails (`burst` throws), and all of them together take less than the slowest alone may. */
async function together(bench: Bench, { ours, reference }: Sides): Promise<Measured> {
  bench.progress(`${BURST} ADDs at once`);
  const pods = Array.from({ length: BURST }, scratchNetns);
  using _ = { [Symbol.dispose]: () => pods.forEach((pod) => void pod.close()) };
  const round = (side: Side) => async (i: number) => {
    const add = await timed(() => burst(side, 'ADD', pods, `b${i}`));
    await burst(side, 'DEL', pods, `b${i}`);
    await sleep(500);
    return add;
  };
  return measured(`bridge: ${BURST} ADDs at once`, await pairwise(3, round(ours), round(reference)));
}
