/**
 * Entry of CNI plugins without an agent, as native/cni-shim.c runs it: `cni-plugin NAME` is one call, read from standard
 * input; `cni-plugin --worker PATH` serves many at the listening socket that it has as descriptor 3.
 */

import { readFileSync, writeSync } from 'node:fs';
import { keepCompiled } from '#cmd/keep-compiled.ts';
import { printWhole } from '#cmd/print-whole.ts';
import { DEFAULT_CNI_SOCKET } from '#cni/daemonless/lock.ts';
import { runAlone } from '#cni/daemonless/run.ts';

/** native/cni-shim.c has the same number. */
const LISTENER = 3;

const log = {
  info() {},
  warn() {},
  // Runtimes show it beside the answer.
  error: (fields: object, message: string) => void writeSync(2, `${JSON.stringify({ ...fields, message })}\n`),
};

const { env, argv } = process;
const options = { socketPath: env.POLDER_CNI_SOCKET || DEFAULT_CNI_SOCKET, log };

async function once(argv0: string): Promise<void> {
  const cni = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('CNI_')));
  const answer = await runAlone({ argv0, env: cni, stdin: readFileSync(0, 'utf8') }, options);
  try {
    await printWhole(answer.stdout);
    process.exitCode = answer.exit;
  } catch (error) {
    // A result that its caller did not get is no success, whatever was done for it.
    process.exitCode = 1;
    log.error({ error: String(error) }, 'Cannot write the answer to standard output');
  }
}

async function worker(path: string): Promise<void> {
  const { runWorker } = await import('#cni/daemonless/worker.ts');
  const idle = Number(env.POLDER_WORKER_IDLE_MS);
  const end = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end.abort());
  const kept = { onServed: keepCompiled, ...(idle > 0 && { idleMs: idle }) };
  await runWorker({ ...options, ...kept, listener: LISTENER, path, signal: end.signal });
  process.exit();
}

if (argv[2] === '--worker') await worker(argv[3] ?? '');
else await once(argv[2] ?? '');
