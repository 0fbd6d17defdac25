/**
 * `path`: what a packet between pods pays on the ways that Polder lays, against the bare wire: one TCP stream (iperf3)
 * and round trips of one byte, in throw-away namespaces that Polder's own calc, plan and sync program.
 */

import { type Bench, type Benchmark, type Measured, pairwise } from '#bench/harness.ts';
import { buildProber, roundTrips, throughput } from '#bench/path/probe.ts';
import { directPair, makeTopology, type Place, type Topology } from '#bench/path/topology.ts';
import { PROFILES, type Profile } from '#spec/cluster.ts';

export const benchmark: Benchmark = {
  name: 'path',
  about: 'throughput and round trips between pods, as it comes and with the fast path, against the bare wire',
  run,
};

const PAIRS = 7;
const SECONDS = 1;
/** Rounds of round trips, in turn, and how many in each. */
const ROUNDS = 6;
const TRIPS = 5_000;

/** From one place to another. */
type Pair = readonly [Place, Place];

interface Way {
  readonly name: string;
  readonly ours: Pair;
  readonly baseline: { readonly name: string; readonly pair: Pair };
  /** Least share of the baseline's throughput. */
  readonly throughput: number;
  /** Most of the baseline's round trip; absent: not measured. */
  readonly latency?: number;
}

async function run(bench: Bench): Promise<readonly Measured[]> {
  using prober = buildProber();
  using stack = new DisposableStack();
  const direct = { name: 'direct veth pair', pair: directPair(stack) };
  const cases: Measured[] = [];
  for (const profile of [PROFILES['flannel-host-gw'], PROFILES.vxlan, PROFILES['flannel-vxlan']]) {
    for (const fastPath of [false, true]) {
      await using at = await makeTopology(profile, fastPath);
      for (const way of waysOf(profile, fastPath, at, direct)) cases.push(...(await measure(bench, way, prober.path)));
    }
  }
  return cases;
}

function waysOf(profile: Profile, fastPath: boolean, at: Topology, direct: Way['baseline']): Way[] {
  const how = fastPath ? ', fast path' : '';
  const across = {
    name: `across nodes, ${profile.name}${how}`,
    ours: [at.near[0], at.far] as const,
    baseline: { name: 'bare underlay', pair: at.nodes },
  };
  if (profile.pool.vxlan === 'never') return [{ ...across, throughput: 0.95, latency: 1.15 }];
  // One node of each attachment.
  const same = { name: `same node, ${profile.attachment}${how}`, ours: at.near, baseline: direct };
  return [
    { ...same, throughput: 0.95, latency: 1.1 },
    { ...across, throughput: 0.85 },
  ];
}

async function measure(bench: Bench, way: Way, prober: string): Promise<Measured[]> {
  bench.progress(`${way.name}: throughput`);
  const stream = ([from, to]: Pair): Promise<number> => {
    bench.signal.throwIfAborted();
    return throughput(from, to, SECONDS);
  };
  const rates = await pairwise(
    PAIRS,
    () => stream(way.ours),
    () => stream(way.baseline.pair),
  );
  const { name } = way.baseline;
  const flow: Measured = {
    case: `${way.name}: one TCP stream`,
    unit: 'Gb/s',
    better: 'higher',
    ours: rates.ours,
    baseline: { name, samples: rates.baseline },
    target: way.throughput,
  };
  return way.latency === undefined ? [flow] : [flow, await latency(bench, way, way.latency, prober)];
}

async function latency(bench: Bench, way: Way, target: number, prober: string): Promise<Measured> {
  bench.progress(`${way.name}: round trips`);
  const samples = { ours: [] as number[], baseline: [] as number[] };
  for (let i = 0; i < ROUNDS; i++) {
    bench.signal.throwIfAborted();
    samples.ours.push(...(await roundTrips(prober, ...way.ours, TRIPS)));
    samples.baseline.push(...(await roundTrips(prober, ...way.baseline.pair, TRIPS)));
  }
  const { ours, baseline } = samples;
  return {
    case: `${way.name}: round trip of one byte`,
    unit: 'µs',
    ours,
    baseline: { name: way.baseline.name, samples: baseline },
    target,
  };
}
