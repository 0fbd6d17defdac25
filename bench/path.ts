/**
 * `path`: what a packet between pods pays on the ways that Polder lays, against the bare wire: one TCP stream (iperf3)
 * and round trips of one byte, in throw-away namespaces that Polder's own calc, plan and sync program.
 */

import { type Bench, type Benchmark, type Measured, pairwise } from '#bench/harness.ts';
import { buildProber, roundTrips, throughput } from '#bench/path/probe.ts';
import { directPair, makeTopology, type Place } from '#bench/path/topology.ts';
import { PROFILES } from '#spec/cluster.ts';

export const benchmark: Benchmark = {
  name: 'path',
  about: 'throughput and round trips between pods, on one node and across nodes, against the bare wire in the same run',
  run,
};

const PAIRS = 9;
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
    await using at = await makeTopology(profile);
    const underlay = { name: 'bare underlay', pair: at.nodes };
    const same = { name: `same node, ${profile.attachment}`, ours: at.near, baseline: direct };
    const across = { name: `across nodes, ${profile.name}`, ours: [at.near[0], at.far] as const, baseline: underlay };
    const tunnel = profile.encapsulation.kind !== 'none';
    const ways: Way[] = [
      // Both bridge profiles are the same on one node: once is enough.
      ...(profile.name === 'flannel-vxlan' ? [] : [{ ...same, throughput: 0.95, latency: 1.1 }]),
      tunnel ? { ...across, throughput: 0.85 } : { ...across, throughput: 0.95, latency: 1.15 },
    ];
    for (const way of ways) cases.push(...(await measure(bench, way, prober.path)));
  }
  return cases;
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
