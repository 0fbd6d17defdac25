/** One pass: read, diff, run, and read again until there is nothing left to do. */

import { diff, diffAdditions } from '#plan/diff.ts';
import type { Obstacle, Plan, PlanOp, Wanted } from '#plan/objects.ts';
import type { Synced } from '#spec/cluster.ts';
import type { Kernel } from '#sync/kernel.ts';
import { readHave } from '#sync/read.ts';
import { type Failure, runOps } from '#sync/run.ts';

/** What to bring about: everything, or, from a snapshot that may be old, only what is missing. */
export type Goal =
  | { readonly kind: 'complete'; readonly wanted: Synced<Wanted> }
  | { readonly kind: 'partial'; readonly wanted: Wanted };

export interface PassReport {
  /** Operations that were done, in order. */
  readonly done: readonly PlanOp[];
  /** Those that the kernel refused, each once; the others were not held up by them. */
  readonly failures: readonly Failure[];
  /** What would still have to be done after the last round, failures aside; empty when the kernel is as wanted. */
  readonly left: readonly PlanOp[];
  readonly obstacles: readonly Obstacle[];
}

/**
 * Some changes need a second round (the kernel lists a device's own route only after the first, or forgets entries with
 * a change). More than these means that somebody works against us: report instead of fighting.
 */
const ROUNDS = 4;

export function planNow(kernel: Kernel, goal: Goal): Plan {
  const have = readHave(kernel, goal.wanted);
  return goal.kind === 'complete' ? diff(goal.wanted, have) : diffAdditions(goal.wanted, have);
}

/** `goal` is asked anew for each round: while a device is being deleted the cluster may go on. */
export async function runPass(kernel: Kernel, goal: () => Goal): Promise<PassReport> {
  const done: PlanOp[] = [];
  const failed = new Map<string, Failure>();
  for (let round = 0; ; round++) {
    const { ops, obstacles } = planNow(kernel, goal());
    const left = ops.filter((op) => !failed.has(JSON.stringify(op)));
    if (left.length === 0 || round === ROUNDS) return { done, failures: stillRefused(failed, ops), left, obstacles };
    const failures = await runOps(kernel, left);
    for (const failure of failures) failed.set(JSON.stringify(failure.op), failure);
    done.push(...left.filter((op) => !failed.has(JSON.stringify(op))));
  }
}

/** A refusal that a later round made good is none: the first wish for IPIP makes the kernel make its own tunl0. */
function stillRefused(failed: ReadonlyMap<string, Failure>, ops: readonly PlanOp[]): Failure[] {
  return ops.flatMap((op) => failed.get(JSON.stringify(op)) ?? []);
}
