/**
 * `profiles`: what each profile costs on this machine. For each one a real lab of two nodes; TCP (1 and 8 streams), round trips,
 * new connections and processor time, between pods of two nodes beside the bare underlay of the same lab, and between pods of one
 * node beside one veth pair. VXLAN is also held beside Flannel's layout, built by hand.
 */

import { type Bench, type Benchmark, type Measured, pairwise, type Report } from '#bench/harness.ts';
import { buildProber, connections, flow, roundTrips } from '#bench/path/probe.ts';
import { directPair, type Place } from '#bench/path/topology.ts';
import { flannelByHand, type Layout } from '#bench/profiles/flannel.ts';
import { type LabPlaces, onLab } from '#bench/profiles/place.ts';
import { PROFILE_ROWS, type ProfileRow } from '#bench/profiles/rows.ts';
import { overheads } from '#bench/profiles/summary.ts';

export const benchmark: Benchmark = {
  name: 'profiles',
  about: 'what every profile costs, between pods of one node and of two, beside the bare wire',
  run,
  summary: (report: Report) => overheads(report, PROFILE_ROWS),
};

const PAIRS = 5;
const ROUNDS = 4;
const TRIPS = 3_000;
const CONNECTIONS = 400;
/** How long one flow is measured, seconds. */
const FLOW_SECONDS = 1;

type Pair = readonly [Place, Place];

/** Two ways to hold side by side: `name` begins the name of every case. */
interface Comparison {
  readonly name: string;
  readonly ours: Pair;
  readonly baseline: { readonly name: string; readonly pair: Pair };
  readonly target?: number;
}

async function run(bench: Bench): Promise<readonly Measured[]> {
  using stack = new DisposableStack();
  const tools: Tools = {
    prober: stack.use(buildProber()).path,
    direct: directPair(stack),
    flannel: stack.use(flannelByHand()),
  };
  const cases: Measured[] = [];
  const wanted = ([name]: readonly [string, ProfileRow]) => bench.parts.length === 0 || bench.parts.includes(name);
  for (const [name, row] of Object.entries(PROFILE_ROWS).filter(wanted))
    cases.push(...(await profile(bench, tools, name, row)));
  return cases;
}

interface Tools {
  readonly prober: string;
  readonly direct: Pair;
  readonly flannel: Layout;
}

/** A profile that this machine cannot have is left out with its reason. */
async function profile(bench: Bench, tools: Tools, name: string, row: ProfileRow): Promise<Measured[]> {
  bench.signal.throwIfAborted();
  bench.progress(`${name}: a lab of two nodes`);
  try {
    return await onLab(['--profile', name], bench.signal, (lab) =>
      measure(bench, tools, comparisons(name, row, lab, tools)),
    );
  } catch (error) {
    bench.signal.throwIfAborted();
    bench.note(`${name} was not measured: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

function comparisons(name: string, row: ProfileRow, lab: LabPlaces, { direct, flannel }: Tools): Comparison[] {
  const across: Pair = [lab.near[0], lab.far];
  const { target } = row;
  const underlay = { name: 'underlay', pair: lab.nodes };
  const all: Comparison[] = [
    { name: `${name} across`, ours: across, baseline: underlay, ...(target !== undefined && { target }) },
    { name: `${name} same node`, ours: lab.near, baseline: { name: 'veth pair', pair: direct } },
  ];
  if (row.encapsulation !== 'VXLAN') return all;
  const peer = { name: 'Flannel by hand', pair: [flannel.near[0], flannel.far] as const };
  return [...all, { name: `${name} beside Flannel`, ours: across, baseline: peer, target: 1 }];
}

async function measure(bench: Bench, tools: Tools, all: readonly Comparison[]): Promise<Measured[]> {
  const cases: Measured[] = [];
  for (const one of all) {
    cases.push(...(await flows(bench, one, 1)), ...(await flows(bench, one, 8)));
    cases.push(await trips(bench, one, tools, 'round trip', TRIPS));
    cases.push(await trips(bench, one, tools, 'connection', CONNECTIONS));
  }
  return cases;
}

/** Throughput, which has the target, and for one stream the processor time that it took. */
async function flows(bench: Bench, one: Comparison, streams: 1 | 8): Promise<Measured[]> {
  bench.progress(`${one.name}: ${streams} TCP stream${streams === 1 ? '' : 's'}`);
  const cpu = { ours: [] as number[], baseline: [] as number[] };
  const sample = async ([from, to]: Pair, into: number[]): Promise<number> => {
    bench.signal.throwIfAborted();
    const { rate, cpu: cost } = await flow(from, to, { seconds: FLOW_SECONDS, streams });
    into.push(cost);
    return rate;
  };
  const rates = await pairwise(
    PAIRS,
    () => sample(one.ours, cpu.ours),
    () => sample(one.baseline.pair, cpu.baseline),
  );
  const { name } = one.baseline;
  const target = streams === 1 && one.target !== undefined ? { target: one.target } : {};
  const label = `${one.name}: ${streams} stream${streams === 1 ? '' : 's'}`;
  const throughput: Measured = {
    case: label,
    unit: 'Gb/s',
    better: 'higher',
    ours: rates.ours,
    baseline: { name, samples: rates.baseline },
    ...target,
  };
  if (streams !== 1) return [throughput];
  return [
    throughput,
    { case: `${one.name}: processor time`, unit: 'ms/Gb', ours: cpu.ours, baseline: { name, samples: cpu.baseline } },
  ];
}

async function trips(
  bench: Bench,
  one: Comparison,
  { prober }: Tools,
  what: 'round trip' | 'connection',
  count: number,
): Promise<Measured> {
  bench.progress(`${one.name}: ${what}s`);
  const probe = what === 'round trip' ? roundTrips : connections;
  const samples = { ours: [] as number[], baseline: [] as number[] };
  for (let i = 0; i < ROUNDS; i++) {
    bench.signal.throwIfAborted();
    samples.ours.push(...(await probe(prober, ...one.ours, count)));
    samples.baseline.push(...(await probe(prober, ...one.baseline.pair, count)));
  }
  const baseline = { name: one.baseline.name, samples: samples.baseline };
  return { case: `${one.name}: ${what}`, unit: 'µs', ours: samples.ours, baseline };
}
