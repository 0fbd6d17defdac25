/**
 * `api`: the embedded API server with 10 000 pods: listing them, writing, 200 watchers, and what it holds in memory, against
 * what the project allows itself; listing also against a bare HTTPS server that sends the same bytes.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { benchPod, NAMESPACE, SENT, wallClock } from '#bench/api/pods.ts';
import { type Bench, type Benchmark, type Measured, pairwise, timed } from '#bench/harness.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { Transport } from '#feed/transport.ts';
import { MIDDLE_HEAP } from '#lab/supervisor/effects.ts';
import { startProcess } from '#serve/api/testing/process.ts';
import { PODS } from '#spec/k8s.ts';

export const benchmark: Benchmark = {
  name: 'api',
  about: 'the API server with 10 000 pods: lists, writes, 200 watchers, memory, against what is allowed',
  run,
};

const OBJECTS = 10_000;
const WATCHERS = 200;
const LISTS = 20;
const ALLOWED = { listMs: 400, writes: 500, watchMs: 50, memoryMb: 300 };
const WRITE_SECONDS = 20;
const WRITERS = 8;
/** Writes a second while watchers are looked at: 2 000 and 10 000 events a second. */
const WATCHED_RATES = [10, 50];
const WATCHED_SECONDS = 10;

async function run(bench: Bench): Promise<readonly Measured[]> {
  const dir = mkdtempSync(join(tmpdir(), 'polder-bench-'));
  try {
    const start = () => startProcess(dir, ['--listen', '127.0.0.1:0'], { flags: MIDDLE_HEAP });
    // Fills the compile cache, as a lab's set-up does.
    await (await start()).stop('SIGTERM');
    await using server = await start();
    const kubeconfig = join(dir, 'kubeconfig');
    const writes = await write(bench, kubeconfig);
    const lists = await list(bench, kubeconfig, dir);
    const watched = await watch(bench, kubeconfig);
    const memory = residentMb(server.child.pid);
    return [...lists, writes, ...watched, allowed('resident memory after it all', 'MB', [memory], ALLOWED.memoryMb)];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function allowed(name: string, unit: string, ours: readonly number[], limit: number): Measured {
  return { case: name, unit, ours, baseline: { name: 'allowed', samples: ours.map(() => limit) }, target: 1 };
}

/** Creates the pods, and replaces them until the time is over: writes a second, each second. */
async function write(bench: Bench, kubeconfig: string): Promise<Measured> {
  bench.progress(`${OBJECTS} pods are made, then changed, by ${WRITERS} clients`);
  using client = new ApiClient(loadKubeconfig(kubeconfig), { maxSockets: WRITERS });
  const done: number[] = [];
  const until = performance.now() + WRITE_SECONDS * 1000;
  let next = 0;
  const writer = async (): Promise<void> => {
    for (let index = next++; index < OBJECTS || performance.now() < until; index = next++) {
      const pod = benchPod(`web-${index % OBJECTS}`);
      if (index < OBJECTS) await client.create(PODS, pod);
      else await relabel(client, pod.metadata.name ?? '', index);
      done.push(performance.now());
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  const rates = ratesOf(done);
  const baseline = { name: 'asked for', samples: rates.map(() => ALLOWED.writes) };
  return { case: 'writes sustained', unit: '/s', better: 'higher', ours: rates, baseline, target: 1, at: 'p99' };
}

function relabel(client: ApiClient, name: string, index: number): Promise<unknown> {
  return client.patch(PODS, { namespace: NAMESPACE, name }, { metadata: { labels: { round: `${index}` } } });
}

/** Full seconds only. */
function ratesOf(times: readonly number[]): number[] {
  const [first = 0] = times;
  const counts: number[] = [];
  for (const time of times) {
    const second = Math.floor((time - first) / 1000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts.slice(0, -1);
}

async function list(bench: Bench, kubeconfig: string, dir: string): Promise<Measured[]> {
  bench.progress(`${OBJECTS} pods are listed ${LISTS} times`);
  using transport = new Transport(loadKubeconfig(kubeconfig));
  const ask = async (of: Transport): Promise<number> =>
    (await of.exchange({ method: 'GET', path: '/api/v1/pods' })).body.length;
  const { body } = await transport.exchange({ method: 'GET', path: '/api/v1/pods' });
  bench.note(`The list is ${(body.length / 1e6).toFixed(1)} MB of JSON.`);
  await using bare = await bareServer(body, dir);
  using direct = new Transport({ ...loadKubeconfig(kubeconfig), server: bare.url });
  const samples = await pairwise(
    LISTS,
    () => timed(() => ask(transport)),
    () => timed(() => ask(direct)),
  );
  return [
    allowed(`list of ${OBJECTS} pods`, 'ms', samples.ours, ALLOWED.listMs),
    {
      case: `list of ${OBJECTS} pods`,
      unit: 'ms',
      ours: samples.ours,
      baseline: { name: 'bare HTTPS, same bytes', samples: samples.baseline },
    },
  ];
}

/** Sends the same bytes to whoever asks, with the certificate of the API server. */
async function bareServer(body: string, dir: string): Promise<AsyncDisposable & { readonly url: string }> {
  const key = readFileSync(join(dir, 'pki/apiserver.key'));
  const server = createServer({ key, cert: readFileSync(join(dir, 'pki/apiserver.crt')) }, (_, response) => {
    response.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function watch(bench: Bench, kubeconfig: string): Promise<Measured[]> {
  await using watchers = await startWatchers(kubeconfig);
  using client = new ApiClient(loadKubeconfig(kubeconfig));
  const measured: Measured[] = [];
  for (const rate of WATCHED_RATES) {
    bench.progress(`${WATCHERS} watchers, ${rate} writes a second`);
    const written = await writeAtRate(client, rate);
    const all = await watchers.latencies(written);
    measured.push({
      ...allowed(`event at each of ${WATCHERS} watchers, ${rate} writes/s`, 'ms', all, ALLOWED.watchMs),
      at: 'p99',
    });
  }
  return measured;
}

/** Writes by the clock, whether or not earlier ones are answered: no slow answer hides a slower one. @returns how many */
async function writeAtRate(client: ApiClient, rate: number): Promise<number> {
  const total = rate * WATCHED_SECONDS;
  const begun = performance.now();
  const sent: Promise<unknown>[] = [];
  for (let index = 0; index < total; index += 1) {
    await sleep(Math.max(0, begun + (index * 1000) / rate - performance.now()));
    const annotations = { [SENT]: `${wallClock()}` };
    const key = { namespace: NAMESPACE, name: `web-${index}` };
    sent.push(client.patch(PODS, key, { metadata: { annotations } }));
  }
  await Promise.all(sent);
  return total;
}

interface Watchers extends AsyncDisposable {
  /** Sorted milliseconds of every event at every watcher since the last call, once all have so many. */
  latencies(written: number): Promise<number[]>;
}

async function startWatchers(kubeconfig: string): Promise<Watchers> {
  const script = fileURLToPath(new URL('api/watchers.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, kubeconfig, `${WATCHERS}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = linesOf(child);
  await lines.next();
  return {
    latencies: async (written) => {
      const found: number[] = [];
      while (found.length < written * WATCHERS) {
        child.stdin?.write('\n');
        const answer = JSON.parse((await lines.next()).value ?? '{}') as { all: number[] };
        found.push(...answer.all);
        if (found.length < written * WATCHERS) await sleep(100);
      }
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin?.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

function linesOf(child: ChildProcess): AsyncIterator<string> {
  if (child.stdout === null) throw new TypeError('Cannot read what the watchers say');
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

function residentMb(pid: number | undefined): number {
  return (Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024) / 1e6;
}
