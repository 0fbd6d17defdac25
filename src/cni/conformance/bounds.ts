/**
 * What bounds every program that a case starts, however deep in it: plugins and the tools that look at their work alike.
 * It goes along with the case's asynchronous calls, so that no helper in between has to hand it on.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Call } from '#cni/conformance/outcome.ts';

export interface Bounds {
  /** Ends every program at once. */
  readonly signal?: AbortSignal | undefined;
  /** How long a program may run, milliseconds. */
  readonly timeoutMs: number;
  /** Told of each program that has ended. */
  readonly onRan?: (call: Call) => void;
}

/** As long as container runtimes wait for a plugin. */
export const TIMEOUT_MS = 120_000;

const current = new AsyncLocalStorage<Bounds>();

export function within<T>(bounds: Bounds, work: () => Promise<T>): Promise<T> {
  return current.run(bounds, work);
}

/** Those of the case that is running. */
export function bounds(): Bounds {
  return current.getStore() ?? { timeoutMs: TIMEOUT_MS };
}
