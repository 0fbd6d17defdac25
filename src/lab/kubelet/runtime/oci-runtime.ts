/** The OCI runtime of the machine: which one works here, and its verbs. */

import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '#lab/images/image-store.ts';
import { readText } from '#lab/kubelet/runtime/disk.ts';
import { type RunResult, run } from '#lab/kubelet/runtime/run.ts';
import { PolderError } from '#spec/errors.ts';

export interface OciRuntime {
  /** `runc` or `crun`. */
  readonly name: string;
  readonly program: string;
  /** `1.1.5`. */
  readonly version: string;
  /** Its state folder. */
  readonly root: string;
}

const CGROUP2_SUPER_MAGIC = 0x63677270;

/** Whether cgroups are pure version 2, by the type of what is mounted at /sys/fs/cgroup. */
export function hasPureCgroup2(): boolean {
  try {
    return statfsSync('/sys/fs/cgroup').type === CGROUP2_SUPER_MAGIC;
  } catch {
    return false;
  }
}

/**
 * runc where it is installed. crun refuses the hybrid layout of cgroups, and on version 2 it raises RLIMIT_MEMLOCK for
 * its device filter, which takes CAP_SYS_RESOURCE: where it works it stands in for a missing runc.
 * @throws PolderError 'runtime-missing' if neither can be used
 */
export async function findRuntime(root: string, capabilities: ReadonlySet<string>): Promise<OciRuntime> {
  const crunWorks = hasPureCgroup2() && capabilities.has('CAP_SYS_RESOURCE');
  const names = crunWorks ? ['runc', 'crun'] : ['runc'];
  for (const name of names) {
    const program = findProgram(name);
    if (program === undefined) continue;
    const answer = await run(program, ['--version']);
    const version = /version:? ([\d.]+)/.exec(answer.stdout)?.[1];
    if (answer.code === 0 && version !== undefined) return { name, program, version, root };
  }
  throw new PolderError('runtime-missing');
}

function call(runtime: OciRuntime, args: readonly string[], timeoutMs = 30_000): Promise<RunResult> {
  return run(runtime.program, ['--root', runtime.root, ...args], { timeoutMs });
}

/** Removes what is left of a container, killing what still runs in it. An unknown one is no error. */
export function deleteContainer(runtime: OciRuntime, id: string): Promise<RunResult> {
  return call(runtime, ['delete', '--force', id]);
}

/** Runs a command in a container to its end. */
export function execInContainer(
  runtime: OciRuntime,
  id: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<RunResult> {
  return call(runtime, ['exec', id, ...command], timeoutMs);
}

/** Why a container could not be started: the runtime's JSON log says it, or else what tend complained of. */
export function startFailure(containerDir: string): string {
  const lines = (readText(join(containerDir, 'runtime.log')) ?? '').trim().split('\n');
  const message = lines.map(messageOf).findLast((text) => text !== undefined);
  return message ?? readText(join(containerDir, 'tend.log'))?.trim() ?? 'the container runtime left no message';
}

function messageOf(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { readonly level?: string; readonly msg?: string };
    return entry.level === 'error' || entry.level === 'fatal' ? entry.msg : undefined;
  } catch {
    return undefined;
  }
}
