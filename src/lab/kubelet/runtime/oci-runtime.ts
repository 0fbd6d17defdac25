/** The OCI runtime of the machine: which one works here, and its verbs. */

import { readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '#lab/images/image-store.ts';
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
 * runc everywhere; crun, several times as quick, where cgroups are pure version 2: it refuses the hybrid layout.
 * @throws PolderError 'runtime-missing' if the machine has neither
 */
export async function findRuntime(root: string): Promise<OciRuntime> {
  const names = hasPureCgroup2() ? ['crun', 'runc'] : ['runc'];
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

/** Why a container could not be started, from the runtime's JSON log. */
export function startFailure(containerDir: string): string {
  try {
    const lines = readFileSync(join(containerDir, 'runtime.log'), 'utf8').trim().split('\n');
    const errors = lines.map((line) => JSON.parse(line) as { level?: string; msg?: string });
    return errors.findLast((entry) => entry.level === 'error' || entry.level === 'fatal')?.msg ?? 'no message';
  } catch {
    return 'the container runtime left no message';
  }
}
