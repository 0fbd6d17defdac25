/** Entry of a CNI plugin without an agent: native/cni-shim.c becomes this. */

import { readFileSync, writeSync } from 'node:fs';
import { DEFAULT_CNI_SOCKET } from '#cni/daemonless/lock.ts';
import { runAlone } from '#cni/daemonless/run.ts';

const log = {
  info() {},
  warn() {},
  // Runtimes show it beside the answer.
  error: (fields: object, message: string) => void writeSync(2, `${JSON.stringify({ ...fields, message })}\n`),
};

const { env, argv } = process;
const cni = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('CNI_')));
const call = { argv0: argv[2] ?? '', env: cni, stdin: readFileSync(0, 'utf8') };
const answer = await runAlone(call, { socketPath: env.POLDER_CNI_SOCKET || DEFAULT_CNI_SOCKET, log });
writeSync(1, answer.stdout);
process.exitCode = answer.exit;
