/** The two probes: iperf3 for throughput, round trips of one byte for latency; each between two places. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Place } from '#bench/path/topology.ts';
import { inNetns } from '#kernel/netns/enter.ts';

const PORT = '5201';
/** Sender and receiver each on a CPU of its own, always the same: where the scheduler puts them decides too much. */
const CPUS = availableParallelism() > 1 ? '0,1' : '0,0';

/** One TCP stream for `seconds`. @returns Gb/s as the receiver counted them. */
export async function throughput(from: Place, to: Place, seconds: number): Promise<number> {
  await using server = await serving(to, 'iperf3', ['-s', '-B', to.addr, '-p', PORT, '--forceflush'], 'listening');
  const text = await output(from, 'iperf3', [
    '-c',
    to.addr,
    '-p',
    PORT,
    '-t',
    String(seconds),
    '-O',
    '0.2',
    '-A',
    CPUS,
    '-J',
  ]);
  void server;
  const report = JSON.parse(text) as { end?: { sum_received?: { bits_per_second?: number } } };
  return (report.end?.sum_received?.bits_per_second ?? 0) / 1e9;
}

/** Sequential round trips over one TCP connection. @returns each in µs. */
export async function roundTrips(program: string, from: Place, to: Place, count: number): Promise<number[]> {
  await using server = await serving(to, program, ['server', to.addr, PORT], 'ready');
  const text = await output(from, program, ['client', to.addr, PORT, String(count)]);
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
