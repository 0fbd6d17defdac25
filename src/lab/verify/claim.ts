/** A claim of the network model (docs/model.md), tried on a running lab. */

import type { World } from '#lab/verify/world.ts';

export interface Finding {
  readonly ok: boolean;
  /** What was seen, one sentence. */
  readonly seen: string;
}

export interface Claim {
  /** As in the table of the model: 'M1'. */
  readonly id: string;
  try(world: World): Promise<Finding>;
}

export interface VerifyResult extends Finding {
  readonly id: string;
}

/** The first trial that did not hold decides; with none, `seen` tells what held. */
export function holds(failed: string | undefined, seen: string): Finding {
  return failed === undefined ? { ok: true, seen } : { ok: false, seen: failed };
}
