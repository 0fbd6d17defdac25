/** The two sides of `cni-add`: an executable each, with its configuration, called in the same way. */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Netns } from '#kernel/netns/netns.ts';

export const REFERENCE = '/usr/lib/cni';
export const SHIM = fileURLToPath(new URL('../../native/bin/cni-shim', import.meta.url));
const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url));

export interface Side {
  readonly name: string;
  readonly program: string;
  /** Its configuration. */
  readonly confFile: string;
  readonly env: Readonly<Record<string, string>>;
  /** Its arguments: a plugin has none. */
  readonly words?: readonly string[];
}

export type Attachment = 'routed' | 'bridge';

/** Our shim and a server process as the agent has one, in the namespace that this process is in. */
export async function ourSide(dir: string, attachment: Attachment): Promise<Side & AsyncDisposable> {
  const own = join(dir, attachment);
  const server = await startServer(own, attachment);
  const { name, program, confFile, env } = server.side(join(own, 'conf'), { name: 'ours', type: 'polder' });
  return { name, program, confFile, env, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** A network configuration, but for its version. */
export interface Conf {
  readonly name: string;
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface OurServer extends AsyncDisposable {
  /** A plugin of ours, in a folder that is made. */
  side(dir: string, conf: Conf): Side;
}

/** @param own a folder that is made, for socket and state */
export async function startServer(own: string, attachment: Attachment): Promise<OurServer> {
  mkdirSync(own);
  const socketPath = join(own, 'cni.sock');
  const child = spawn(process.execPath, [SERVER, socketPath, own, attachment], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    side(dir, conf) {
      mkdirSync(dir);
      const program = join(dir, conf.type);
      symlinkSync(SHIM, program);
      return { name: 'polder', program, confFile: confFileOf(dir, conf), env: { POLDER_CNI_SOCKET: socketPath } };
    },
    async [Symbol.asyncDispose]() {
      // It ends when its standard input does, also if this process is killed.
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

/** A reference plugin, in a folder that is made. */
export function referenceOf(dir: string, conf: Conf): Side {
  mkdirSync(dir);
  // For ipMasq it runs iptables.
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  return { name: 'reference', program: join(REFERENCE, conf.type), confFile: confFileOf(dir, conf), env };
}

export function referenceSide(dir: string): Side {
  const own = join(dir, 'reference');
  const ipam = { type: 'host-local', subnet: '10.200.0.0/16', dataDir: join(own, 'ipam') };
  const conf = { name: 'reference', type: 'bridge', bridge: 'ref0', isGateway: true, ipMasq: false, ipam };
  return { ...referenceOf(own, conf), name: 'bridge + host-local' };
}

export function confFileOf(dir: string, conf: Conf): string {
  const confFile = join(dir, 'conf.json');
  writeFileSync(confFile, JSON.stringify({ cniVersion: '1.0.0', ...conf }));
  return confFile;
}

export type Command = 'ADD' | 'DEL';

/** One call. @returns milliseconds from the start of the executable to its end. */
export function call(timer: string, side: Side, command: Command, pod: Netns, id: string): number {
  const env = environment(side, command, pod, id);
  const done = spawnSync(timer, [side.confFile, side.program, ...(side.words ?? [])], { env, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${side.name} ${command}: ${done.stdout}${done.stderr}`);
  return Number(done.stdout.trimEnd().split('\n').at(-1)) / 1000;
}

/** Builds the timer in the folder, with the compiler that builds the native programs. */
export function buildTimer(dir: string): string {
  return build(dir, 'exec-timer');
}

/** The requests to the kernel that an attachment needs at least, as a program. */
export function floorSide(dir: string, program: string, words: readonly string[]): Side {
  const confFile = join(dir, 'nothing');
  writeFileSync(confFile, '');
  return { name: 'the kernel alone', program, words, confFile, env: {} };
}

/** Of a source of this folder, static as our executables are, by musl where it is. @returns its path. */
export function build(dir: string, name: string): string {
  const path = join(dir, name);
  const words = ['-Os', '-static', '-o', path, join(import.meta.dirname, `${name}.c`)];
  // musl has none of the kernel's headers.
  const target = spawnSync('cc', ['-dumpmachine'], { encoding: 'utf8' }).stdout.trim();
  const headers = ['/usr/include', `/usr/include/${target}`].flatMap((folder) => ['-idirafter', folder]);
  const made = spawnSync('musl-gcc', [...words, ...headers], { stdio: 'ignore' });
  if (made.status !== 0) execFileSync('cc', words, { stdio: 'inherit' });
  return path;
}

export function environment(side: Side, command: Command, pod: Netns, id: string): Record<string, string> {
  return { ...common(side, command), CNI_CONTAINERID: id, CNI_NETNS: `/proc/${process.pid}/fd/${pod.fd}` };
}

function common(side: Side, command: Command): Record<string, string> {
  return { ...side.env, CNI_COMMAND: command, CNI_IFNAME: 'eth0', CNI_PATH: REFERENCE };
}

/** One call for each pod, all at once. A shell starts them: it forks faster than Node does. */
export async function burst(side: Side, command: Command, pods: readonly Netns[], round: string): Promise<void> {
  const script = `
    for fd in ${pods.map((pod) => pod.fd).join(' ')}; do
      CNI_CONTAINERID=${round}-$fd CNI_NETNS=/proc/${process.pid}/fd/$fd "$0" <"$1" >/dev/null || echo failed &
    done
    wait`;
  const options = { env: common(side, command), stdio: ['ignore', 'pipe', 'inherit'] as const };
  const child = spawn('sh', ['-c', script, side.program, side.confFile], { ...options, stdio: [...options.stdio] });
  let failed = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    failed += chunk.toString().split('\n').length - 1;
  });
  await once(child, 'close');
  if (failed > 0) throw new Error(`${side.name}: ${failed} of ${pods.length} ${command}s failed`);
}
