/**
 * A machine for one test file: network, mount and PID namespaces of its own, where real container runtimes may do what
 * they like. /run and the folders of their state are empty there. It dies with this process, however that ends: its
 * first process waits for the end of its standard input, and all others die with that one; a shell outside then removes
 * what cannot live in a namespace, the folder and the cgroups.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Ran, result } from '../../support/polder.ts';

/** Folders that runtimes write to at names that no setting changes. */
const OWN_FOLDERS = ['/dev/shm', '/var/lib/cni', '/var/lib/containerd', '/var/lib/containers'];

/** Some of them may not be there: they are made in an upper layer. */
const FIRST = `
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/layer/upper /run/layer/work
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/layer/upper,workdir=/run/layer/work overlay /var/lib
for dir in ${OWN_FOLDERS.join(' ')}; do
  mkdir -p $dir
  mount -t tmpfs -o mode=755 tmpfs $dir
done
mkdir -p /run/netns /run/polder
ip link set lo up
echo ready
cat
`;

/** Every hierarchy of cgroup v1, and the one of v2. */
const GUARD = `
unshare --mount --net --pid --fork --kill-child --mount-proc sh -c "$1"
for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if [ -d "$root/$3" ]; then find "$root/$3" -depth -type d -exec rmdir {} + ; fi
done
rm -rf "$2"
`;

export interface Machine extends AsyncDisposable {
  /** For its files; removed at the end. The same path inside and outside. */
  readonly dir: string;
  /** Parent of all cgroups, as a name below each hierarchy's root. */
  readonly cgroup: string;
  /** A path of its own mounts, as seen from outside. */
  outside(path: string): string;
  /** Starts a program inside. The environment is nothing but PATH, HOME and `env`. */
  start(command: readonly string[], env?: Record<string, string>): ChildProcess;
  /** Runs a program inside to its end. */
  run(...command: string[]): Promise<Ran>;
  /** As `run`, and it must succeed. @returns standard output */
  must(...command: string[]): Promise<string>;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export async function makeMachine(): Promise<Machine> {
  const dir = mkdtempSync(join(tmpdir(), 'pt-callers-'));
  const cgroup = basename(dir);
  const guard = spawn('sh', ['-c', GUARD, 'sh', FIRST, dir, cgroup], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = await Promise.race([once(guard.stdout, 'data'), once(guard, 'exit')]);
  assert.equal(String(said).trim(), 'ready', 'the namespaces were not made');
  const first = onlyChild(onlyChild(guard.pid ?? 0));
  const enter = ['-t', String(first), '-m', '-n', '-p', '--', 'env', '-i', `PATH=${PATH}`, `HOME=${dir}`];
  const start = (command: readonly string[], env: Record<string, string> = {}) =>
    spawn('nsenter', [...enter, ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command]);
  const machine: Machine = {
    dir,
    cgroup,
    outside: (path) => `/proc/${first}/root${path}`,
    start,
    run: (...command) => result(start(command)),
    must: async (...command) => {
      const ran = await machine.run(...command);
      assert.equal(ran.status, 0, `${command.join(' ')}: status ${ran.status}\n${ran.stdout}\n${ran.stderr}`);
      return ran.stdout;
    },
    [Symbol.asyncDispose]: async () => {
      const gone = once(guard, 'exit');
      guard.stdin.end();
      await gone;
    },
  };
  return machine;
}

/** The program that `start` started is a child of nsenter, which signals would not pass. */
export function innerPid(child: ChildProcess): number {
  return onlyChild(child.pid ?? 0);
}

function onlyChild(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  assert.ok(child, `process ${pid} has no child`);
  return Number(child);
}
