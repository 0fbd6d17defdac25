/** How long a container that ended waits for its next start (Kubernetes: "Pod Lifecycle", container restarts). */

/** Of one container; undefined at its first start. */
export interface BackoffState {
  /** Wait that holds now, ms. */
  readonly waitMs: number;
  /** When it was last lengthened, ms since the epoch. */
  readonly since: number;
}

export const FIRST_WAIT_MS = 10_000;
export const MAX_WAIT_MS = 300_000;

/** From when the next start is due; undefined: at once. `endedAt`: ms since the epoch. */
export function dueAt(state: BackoffState | undefined, endedAt: number): number | undefined {
  if (state === undefined || isForgotten(state, endedAt)) return undefined;
  return endedAt + state.waitMs;
}

/** The state after one more start that follows an end at `endedAt`. */
export function afterRestart(state: BackoffState | undefined, endedAt: number, now: number): BackoffState {
  if (state === undefined || isForgotten(state, endedAt)) return { waitMs: FIRST_WAIT_MS, since: now };
  return { waitMs: Math.min(MAX_WAIT_MS, state.waitMs * 2), since: now };
}

/** It ran for so long in between that its past counts no more. */
function isForgotten(state: BackoffState, endedAt: number): boolean {
  return endedAt - state.since > 2 * MAX_WAIT_MS;
}

/** What `attempts` restarts in a row would have led to: for a kubelet that was started anew. */
export function backoffAfter(restarts: number, since: number): BackoffState | undefined {
  if (restarts === 0) return undefined;
  return { waitMs: Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(restarts - 1, 10)), since };
}
