/** Keeps an agent and plugins that run without one apart: he takes the lock for himself, they share it. */

import { lockFile } from '#kernel/file-lock.ts';
import { PolderError } from '#spec/errors.ts';

/** A plugin's call takes some 50 ms; a runtime kills one that takes two minutes. Milliseconds. */
const PATIENCE_MS = 30_000;

/** Where the shim looks for an agent unless POLDER_CNI_SOCKET says otherwise; native/cni-shim.c has the same path. */
export const DEFAULT_CNI_SOCKET = '/run/polder/cni.sock';

export function lockPathOf(socketPath: string): string {
  return `${socketPath}.lock`;
}

/** Whoever starts a worker, and a worker that ends, hold this for a moment; native/cni-shim.c has the same name. */
export function startPathOf(socketPath: string): string {
  return `${socketPath}.start`;
}

/** Waits until no plugin runs by itself; held until disposed. @throws PolderError cni-io */
export async function takeNode(socketPath: string): Promise<Disposable> {
  const lock = await lockFile(lockPathOf(socketPath), 'exclusive', PATIENCE_MS);
  if (lock) return lock;
  throw new PolderError('cni-io', { what: `Another process holds ${lockPathOf(socketPath)}` });
}
