/**
 * Runs a command in a node. Beside the network namespace it sees the node's own interfaces in /sys (a fresh sysfs only
 * over `/sys/class/net` and what that points to, so that cgroups and bpffs stay visible, which `ip netns exec` hides)
 * and the node's name as host name.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { bindMount, leaveMounts, mountSysfs } from '#kernel/mounts.ts';
import { moveToNetns } from '#kernel/netns/enter.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import { enterGroup, machineHierarchies, shellGroup } from '#lab/cgroup.ts';
import { labPaths, nodeNetns, underlayNetns } from '#lab/names.ts';
import { requireNode } from '#lab/nodes.ts';
import { requireLab } from '#lab/state.ts';
import { hostName, routersOf } from '#lab/tor/routers.ts';
import { PolderError } from '#spec/errors.ts';

/** Folders of sysfs that are a network namespace's own; the entries of the first are links into the second. */
const NET_FOLDERS = ['class/net', 'devices/virtual/net'];

/**
 * For a process that does nothing else: it stays in the node. No words: a shell.
 * @returns the command's exit status, 128 and more for a signal, as a shell counts.
 */
export async function runInNode(
  lab: string,
  node: string,
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  enter(lab, node);
  const [program, ...args] = words.length > 0 ? words : [env.SHELL ?? '/bin/sh'];
  return run(program ?? '', args, { ...env, KUBECONFIG: labPaths(lab).insideKubeconfig });
}

function enter(lab: string, node: string): void {
  const spec = requireLab(lab);
  const paths = labPaths(lab);
  const places = ['underlay', ...routersOf(spec).flatMap((router) => [router.name, hostName(router)])];
  if (!places.includes(node) && requireNode(spec, node).stopped === true) {
    throw new PolderError('usage', { what: `Node "${node}" is stopped; \`polder lab node start ${node}\` starts it.` });
  }
  const { unified } = machineHierarchies();
  // In the lab's cgroup, so that `lab down` ends what was left open.
  if (unified !== undefined) enterGroup(unified, shellGroup(paths.cgroup), process.pid);
  using netns = openNetns({ name: node === 'underlay' ? underlayNetns(lab) : nodeNetns(lab, node) });
  moveToNetns(netns);
  leaveMounts();
  showInterfaces(`${paths.runDir}/sys`);
  spawnSync('hostname', [node]);
}

function showInterfaces(point: string): void {
  mkdirSync(point, { recursive: true });
  mountSysfs(point);
  for (const folder of NET_FOLDERS) if (existsSync(`/sys/${folder}`)) bindMount(`${point}/${folder}`, `/sys/${folder}`);
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit', env });
  // The keys' signals reach the command by the terminal; we only wait for it. Others are meant for both.
  for (const name of ['SIGINT', 'SIGQUIT'] as const) process.on(name, () => {});
  for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, () => child.kill(name));
  return new Promise((resolve, reject) => {
    const missing = new PolderError('usage', { what: `There is no command "${program}" on this machine.` });
    child.on('error', () => reject(missing));
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 0) : 128 + constants.signals[signal]));
  });
}
