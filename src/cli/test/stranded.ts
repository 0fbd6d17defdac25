/** Labs of tests whose process has ended before it could remove them: by a limit of time, by Ctrl-C, by `kill -9`. */

import { removeLab } from '#lab/down.ts';
import { lockLab } from '#lab/lock.ts';
import { processId } from '#lab/process.ts';
import { listLabs } from '#lab/state.ts';
import { quietly } from '#lab/step.ts';
import { PolderError } from '#spec/errors.ts';

/** Names of tests' labs say whose they are: the process of the test file. */
export function testLabName(count: number): string {
  return `t${process.pid}-${count}`;
}

/** The process that a test's lab belongs to; undefined for all other labs, people's own among them. */
export function ownerOf(lab: string): number | undefined {
  const [, pid] = /^t(\d+)-\d+[a-z]?$/.exec(lab) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/** A command of the test that was cut off may still be at it, such as a `lab up`. Milliseconds. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 100;

/** @throws PolderError lab-name-in-use if the other command does not end in time */
export async function lockWhenFree(lab: string, patienceMs = PATIENCE_MS): Promise<Disposable> {
  for (const end = performance.now() + patienceMs; ; ) {
    try {
      return await lockLab(lab);
    } catch (error) {
      const held = error instanceof PolderError && error.code === 'lab-name-in-use';
      if (!held || performance.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** @returns the names of those that it removed */
export async function removeStrandedLabs(): Promise<string[]> {
  const stranded = listLabs().filter((lab) => {
    const owner = ownerOf(lab);
    return owner !== undefined && processId(owner) === undefined;
  });
  for (const lab of stranded) {
    using _lock = await lockWhenFree(lab);
    await removeLab(lab, quietly);
  }
  return stranded;
}
