/**
 * A node for tests: a CNI server in this process, which moves into a throw-away network namespace for good, and the
 * real shim as its caller. Nothing has a name outside a temporary folder, so that nothing is left behind.
 */

import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Log } from '#cni/log.ts';
import { type CniServer, type CniServerOptions, startCniServer } from '#cni/server/server.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { moveToNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { NodeNetwork } from '#spec/node-network.ts';

const NATIVE = fileURLToPath(new URL('../../../native/', import.meta.url));
export const SHIM = join(NATIVE, 'bin/cni-shim');

export const ROUTED: NodeNetwork = {
  attachment: 'routed',
  bridge: '',
  hostIfPrefix: 'cali',
  podCidrs: [parsePrefix('10.244.1.0/24')],
  mtu: 1450,
};

export const BRIDGED: NodeNetwork = { ...ROUTED, attachment: 'bridge', bridge: 'cni0', hostIfPrefix: 'veth' };

const quiet: Log = { info() {}, warn() {}, error() {} };

let moved: Netns | undefined;

/** Why these tests cannot run here, or false. Builds the shim if there is a compiler. */
export function noBed(): string | false {
  if (noKernel) return noKernel;
  const built = spawnSync('sh', [join(NATIVE, 'build.sh'), '-q'], { stdio: 'inherit' });
  return built.status === 0 && existsSync(SHIM) ? false : 'native/cni-shim is not built: no C compiler';
}

/** Moves this whole test process into a namespace of its own, once. */
export function moveAway(): Netns {
  moved ??= enterScratch();
  return moved;
}

function enterScratch(): Netns {
  const netns = scratchNetns();
  moveToNetns(netns);
  spawnSync('ip', ['link', 'set', 'lo', 'up']);
  return netns;
}

export interface ShimAnswer {
  readonly exit: number | null;
  readonly stdout: string;
  /** The answer as JSON; undefined if it is empty. */
  readonly json: Record<string, unknown> | undefined;
}

export interface Bed extends AsyncDisposable {
  readonly dir: string;
  readonly socketPath: string;
  server: CniServer;
  network: NodeNetwork | undefined;
  /** Runs the shim. */
  cni(command: string, env: Record<string, string>, conf: unknown): Promise<ShimAnswer>;
  /** A server with the same journal, as after the death of the last. */
  restart(more?: Partial<CniServerOptions>): Promise<void>;
}

export async function bed(t: TestContext, network: NodeNetwork, more: Partial<CniServerOptions> = {}): Promise<Bed> {
  moveAway();
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-'));
  const socketPath = join(dir, 'cni.sock');
  const start = (extra: Partial<CniServerOptions>) =>
    startCniServer({ socketPath, stateDir: dir, nodeNetwork: () => self.network, log: quiet, ...more, ...extra });
  const self: Bed = {
    dir,
    socketPath,
    network,
    server: await startCniServer({ socketPath, stateDir: dir, nodeNetwork: () => self.network, log: quiet, ...more }),
    cni: (command, env, conf) => runShim(socketPath, { CNI_COMMAND: command, ...env }, conf),
    async restart(extra = {}) {
      await self.server.close();
      self.server = await start(extra);
    },
    async [Symbol.asyncDispose]() {
      await self.server.close();
      removeLinks();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  t.after(() => self[Symbol.asyncDispose]());
  return self;
}

/** The namespace is shared by the tests of one file: each leaves it empty. */
function removeLinks(): void {
  using netlink = openNetlink();
  const names = netlink
    .links()
    .filter((link) => !link.loopback && link.info.kind !== 'other')
    .map((link) => link.name);
  netlink.run(names.map((name) => ({ op: 'link.del', name })));
}

/** The shim under the name of the configuration's plugin. */
export async function runShim(socketPath: string, env: Record<string, string>, conf: unknown): Promise<ShimAnswer> {
  const argv0 = `/opt/cni/bin/${pluginOf(conf)}`;
  return answerOf(spawn(SHIM, [], { argv0, env: { POLDER_CNI_SOCKET: socketPath, ...env } }), conf);
}

function pluginOf(conf: unknown): string {
  const type = typeof conf === 'object' && conf !== null && 'type' in conf ? conf.type : undefined;
  return typeof type === 'string' ? type : 'polder';
}

/** What a CNI executable says to the configuration. */
export async function answerOf(
  child: ChildProcessByStdio<Writable, Readable, Readable | null>,
  conf: unknown,
): Promise<ShimAnswer> {
  child.stdin.on('error', () => {});
  child.stdin.end(typeof conf === 'string' ? conf : JSON.stringify(conf));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', (code) => resolve(code));
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  const exit = await promise;
  const json: Record<string, unknown> | undefined = stdout === '' ? undefined : JSON.parse(stdout);
  return { exit, stdout, json };
}

/** Where a namespace that only we hold can be found by other processes. */
export function pathOf(netns: Netns): string {
  return `/proc/${process.pid}/fd/${netns.fd}`;
}
