/** The two probes: iperf3 for throughput, round trips of one byte for latency; each between two places. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Place } from '#bench/path/topology.ts';
import { inNetns } from '#kernel/netns/enter.ts';

const PORT = '5201';
/** Sender and receiver each on a CPU of its own, always the same: where the scheduler puts them decides too much. */
const CPUS = availableParallelism() > 1 ? '0,1' : '0,0';
/** Seconds at the start of a flow that are not counted. */
const WARM_UP = 0.2;

/** What a flow carried and what it cost. */
export interface Flow {
  /** Gb/s as the receiver counted them, all streams together. */
  readonly rate: number;
  /** Processor time of the whole machine for each gigabit, milliseconds: sender, receiver and all on the way. */
  readonly cpu: number;
}

/** One TCP stream for `seconds`. @returns Gb/s as the receiver counted them. */
export async function throughput(from: Place, to: Place, seconds: number): Promise<number> {
  return (await flow(from, to, { seconds, streams: 1 })).rate;
}

/** TCP streams side by side. */
export async function flow(
  from: Place,
  to: Place,
  { seconds, streams }: { readonly seconds: number; readonly streams: number },
): Promise<Flow> {
  await using server = await serving(to, 'iperf3', ['-s', '-B', to.addr, '-p', PORT, '--forceflush'], 'listening');
  const wanted = [
    '-c',
    to.addr,
    '-p',
    PORT,
    '-t',
    `${seconds}`,
    '-P',
    `${streams}`,
    '-O',
    `${WARM_UP}`,
    '-A',
    CPUS,
    '-J',
  ];
  const before = busyMs();
  const text = await output(from, 'iperf3', wanted);
  const spent = busyMs() - before;
  void server;
  const report = JSON.parse(text) as { end?: { sum_received?: { bits_per_second?: number; bytes?: number } } };
  const { bits_per_second: rate = 0 } = report.end?.sum_received ?? {};
  return { rate: rate / 1e9, cpu: spent / ((rate * (seconds + WARM_UP)) / 1e9) };
}

/** Time that the machine's processors have been busy since it started, milliseconds. */
function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

/** Sequential round trips over one TCP connection. @returns each in µs. */
export async function roundTrips(program: string, from: Place, to: Place, count: number): Promise<number[]> {
  return await asked(program, 'client', from, to, count);
}

/** Connections one after the other, each for one round trip. @returns each in µs, from connect to the answer. */
export async function connections(program: string, from: Place, to: Place, count: number): Promise<number[]> {
  return await asked(program, 'connects', from, to, count);
}

async function asked(
  program: string,
  verb: 'client' | 'connects',
  from: Place,
  to: Place,
  count: number,
): Promise<number[]> {
  await using server = await serving(to, program, ['server', to.addr, PORT], 'ready');
  const text = await output(from, program, [verb, to.addr, PORT, String(count)]);
  void server;
  return text
    .trim()
    .split('\n')
    .map((line) => Number(line) / 1000);
}

/** Builds the round-trip prober; the compiler is one that `polder` needs anyway. */
export function buildProber(): Disposable & { readonly path: string } {
  const dir = mkdtempSync(join(tmpdir(), 'polder-bench-'));
  const path = join(dir, 'rr');
  execFileSync('cc', ['-O2', '-o', path, join(import.meta.dirname, 'rr.c')], { stdio: 'inherit' });
  return { path, [Symbol.dispose]: () => rmSync(dir, { recursive: true }) };
}

/** A server in its place, from when it says that it is ready until it is disposed of. */
async function serving(place: Place, command: string, args: string[], ready: string): Promise<AsyncDisposable> {
  const child = inNetns(place.netns, () => spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  const ended = once(child, 'exit');
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes(ready)) break;
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { [Symbol.asyncDispose]: stop };
}

async function output(place: Place, command: string, args: string[]): Promise<string> {
  const child = inNetns(place.netns, () => spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  const ended = once(child, 'exit');
  const chunks: string[] = [];
  for await (const chunk of child.stdout) chunks.push(String(chunk));
  const [code] = await ended;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${chunks.join('').slice(0, 400)}`);
  return chunks.join('');
}
