/** The two sides of `cni-add`: an executable each, with its configuration, called in the same way. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Netns } from '#kernel/netns/netns.ts';

export const REFERENCE = '/usr/lib/cni';
const SHIM = fileURLToPath(new URL('../../native/bin/cni-shim', import.meta.url));
const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url));

export interface Side {
  readonly name: string;
  readonly program: string;
  /** Text and file of the configuration. */
  readonly conf: string;
  readonly confFile: string;
  readonly env: Readonly<Record<string, string>>;
}

export type Attachment = 'routed' | 'bridge';

/** Our shim and a server process as the agent has one, in the namespace that this process is in. */
export async function ourSide(dir: string, attachment: Attachment): Promise<Side & AsyncDisposable> {
  const own = join(dir, attachment);
  mkdirSync(own);
  const program = join(own, 'polder');
  symlinkSync(SHIM, program);
  const socketPath = join(own, 'cni.sock');
  const child = spawn(process.execPath, [SERVER, socketPath, own, attachment], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const conf = JSON.stringify({ cniVersion: '1.0.0', name: 'ours', type: 'polder' });
  return {
    name: 'polder',
    program,
    ...written(own, conf),
    env: { POLDER_CNI_SOCKET: socketPath },
    async [Symbol.asyncDispose]() {
      // It ends when its standard input does, also if this process is killed.
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

export function referenceSide(dir: string): Side {
  const own = join(dir, 'reference');
  mkdirSync(own);
  const ipam = { type: 'host-local', subnet: '10.200.0.0/16', dataDir: join(own, 'ipam') };
  const bridge = { type: 'bridge', bridge: 'ref0', isGateway: true, ipMasq: false };
  const conf = JSON.stringify({ cniVersion: '1.0.0', name: 'reference', ...bridge, ipam });
  return { name: 'bridge + host-local', program: join(REFERENCE, 'bridge'), ...written(own, conf), env: {} };
}

function written(dir: string, conf: string): { conf: string; confFile: string } {
  const confFile = join(dir, 'conf.json');
  writeFileSync(confFile, conf);
  return { conf, confFile };
}

export type Command = 'ADD' | 'DEL';

/** One call. `spawnSync`, since Node's bookkeeping of a child in its event loop is no part of what is measured. */
export function call(side: Side, command: Command, pod: Netns, id: string): void {
  const cni = { CNI_CONTAINERID: id, CNI_NETNS: `/proc/${process.pid}/fd/${pod.fd}` };
  const done = spawnSync(side.program, { env: { ...environment(side, command), ...cni }, input: side.conf });
  if (done.status !== 0) throw new Error(`${side.name} ${command}: ${done.stdout}${done.stderr}`);
}

function environment(side: Side, command: Command): Record<string, string> {
  return { ...side.env, CNI_COMMAND: command, CNI_IFNAME: 'eth0', CNI_PATH: REFERENCE };
}

/** One call for each pod, all at once. A shell starts them: it forks faster than Node does. */
export async function burst(side: Side, command: Command, pods: readonly Netns[], round: string): Promise<void> {
  const script = `
    for fd in ${pods.map((pod) => pod.fd).join(' ')}; do
      CNI_CONTAINERID=${round}-$fd CNI_NETNS=/proc/${process.pid}/fd/$fd "$0" <"$1" >/dev/null || echo failed &
    done
    wait`;
  const options = { env: environment(side, command), stdio: ['ignore', 'pipe', 'inherit'] as const };
  const child = spawn('sh', ['-c', script, side.program, side.confFile], { ...options, stdio: [...options.stdio] });
  let failed = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    failed += chunk.toString().split('\n').length - 1;
  });
  await once(child, 'close');
  if (failed > 0) throw new Error(`${side.name}: ${failed} of ${pods.length} ${command}s failed`);
}
