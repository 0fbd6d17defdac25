/** Debian's containerd on a machine of its own: configuration, start, stop, the sandbox's image. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type CriClient, openCri } from './cri.ts';
import { writeImage } from './image.ts';
import { innerPid, type Machine } from './machine.ts';

const PAUSE = fileURLToPath(new URL('../../../native/bin/pause', import.meta.url));
const IMAGE = 'polder.test/pause:1';
const SOCKET = '/run/containerd/containerd.sock';
const READY_MS = 20_000;

export interface Containerd {
  readonly cri: CriClient;
  /** Ends it as a service manager does; pods go on. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** @param chains a chain of plugins for each runtime handler; '' is the default one */
export async function startContainerd(machine: Machine, bin: string, chains: Record<string, object[]>) {
  for (const [handler, plugins] of Object.entries(chains)) writeConflist(confDir(machine, handler), plugins);
  writeFileSync(join(machine.dir, 'config.toml'), configOf(machine, bin, Object.keys(chains)));
  const image = join(machine.dir, 'pause.tar');
  writeImage(image, { tag: IMAGE, entrypoint: ['/pause'], files: [{ name: 'pause', from: PAUSE }] });
  const containerd = await supervised(machine);
  await machine.must('ctr', '-n', 'k8s.io', 'images', 'import', image);
  return containerd;
}

/** Only the file is replaced, by rename: 2.1 ends when its folder goes. */
export function writeConflist(dir: string, plugins: readonly object[]): void {
  mkdirSync(dir, { recursive: true });
  const list = { cniVersion: '1.0.0', name: 'pods', plugins };
  writeFileSync(join(dir, '10-pods.conflist'), JSON.stringify(list));
}

async function supervised(machine: Machine): Promise<Containerd> {
  const socket = machine.outside(SOCKET);
  let child: ChildProcess | undefined;
  let cri: CriClient | undefined;
  const containerd: Containerd = {
    get cri() {
      assert.ok(cri, 'containerd is stopped');
      return cri;
    },
    async start() {
      child = machine.start(['containerd', '--config', join(machine.dir, 'config.toml')]);
      child.stderr?.pipe(createWriteStream(join(machine.dir, 'containerd.log'), { flags: 'a' }));
      cri = await ready(machine, socket);
    },
    async stop() {
      if (child === undefined) return;
      const gone = once(child, 'exit');
      cri?.[Symbol.dispose]();
      cri = undefined;
      process.kill(innerPid(child), 'SIGTERM');
      await gone;
    },
  };
  await containerd.start();
  return containerd;
}

/** The socket is there before the CRI is, and that before the network's configuration has been read. */
async function ready(machine: Machine, socket: string): Promise<CriClient> {
  const until = Date.now() + READY_MS;
  for (;;) {
    if (existsSync(socket)) {
      const cri = openCri(socket, machine.cgroup);
      if (await cri.networkReady().catch(() => false)) return cri;
      cri[Symbol.dispose]();
    }
    const log = () => readFileSync(join(machine.dir, 'containerd.log'), 'utf8');
    assert.ok(
      Date.now() < until,
      `containerd is not ready after ${READY_MS / 1000} s:\n${Date.now() < until || log()}`,
    );
    await sleep(20);
  }
}

function confDir(machine: Machine, handler: string): string {
  return join(machine.dir, handler === '' ? 'net.d' : `net.${handler}.d`);
}

/** This machine may lack CAP_SYS_RESOURCE: `restrict_oom_score_adj`. */
function configOf(machine: Machine, bin: string, handlers: readonly string[]): string {
  const others = handlers.filter((handler) => handler !== '');
  return `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${bin}"
    conf_dir = "${confDir(machine, '')}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
${others
  .map(
    (handler) => `    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${handler}]
      runtime_type = "io.containerd.runc.v2"
      cni_conf_dir = "${confDir(machine, handler)}"
`,
  )
  .join('')}`;
}
