/**
 * Keeps an agent and plugins that run without one apart: he takes the node for himself, they share it. Two locks, since
 * flock(2) lets sharers in while somebody waits to be alone: calls that overlap would keep an agent out for ever. So he
 * shuts the gate first, and waits for those that are in.
 */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { lockFile, tryLockFile } from '#kernel/file-lock.ts';
import { PolderError } from '#spec/errors.ts';

/** A call takes some 50 ms, but one that delegates up to 100 s; a runtime ends one that takes two minutes. Milliseconds. */
const PATIENCE_MS = 125_000;

/** Where the shim looks for an agent unless POLDER_CNI_SOCKET says otherwise; native/cni-shim.c has the same path. */
export const DEFAULT_CNI_SOCKET = '/run/polder/cni.sock';

/** Who holds it has the node. */
export function lockPathOf(socketPath: string): string {
  return `${socketPath}.lock`;
}

/** Calls hold it only while they get the node. */
function gatePathOf(socketPath: string): string {
  return `${socketPath}.gate`;
}

/** Whoever starts a worker, and a worker that ends, hold this for a moment; native/cni-shim.c has the same name. */
export function startPathOf(socketPath: string): string {
  return `${socketPath}.start`;
}

/** Waits until no plugin runs by itself, and lets none begin; held until disposed. @throws PolderError cni-io */
export async function takeNode(socketPath: string): Promise<Disposable> {
  using stack = new DisposableStack();
  stack.use(await takeAlone(gatePathOf(socketPath)));
  stack.use(await takeAlone(lockPathOf(socketPath)));
  return stack.move();
}

async function takeAlone(path: string): Promise<Disposable> {
  const lock = await lockFile(path, 'exclusive', PATIENCE_MS);
  if (lock) return lock;
  throw new PolderError('cni-io', { what: `Another process holds ${path}` });
}

/**
 * Any number of calls work at once, but none beside an agent; held until disposed.
 * @throws PolderError cni-try-later if one has started meanwhile, for STATUS cni-not-available; cni-io
 */
export function shareNode(socketPath: string, command?: string): Disposable {
  const lock = passGate(socketPath);
  if (lock) return lock;
  const code = command === 'STATUS' ? 'cni-not-available' : 'cni-try-later';
  throw new PolderError(code, { what: 'The Polder agent is starting on this node' });
}

/** Undefined if an agent is inside, or waits for those who are. */
function passGate(socketPath: string): Disposable | undefined {
  try {
    mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 });
    using gate = tryLockFile(gatePathOf(socketPath), 'shared');
    return gate && tryLockFile(lockPathOf(socketPath), 'shared');
  } catch (error) {
    const what = `Cannot lock ${lockPathOf(socketPath)}: ${error instanceof Error ? error.message : error}`;
    throw new PolderError('cni-io', { what }, { cause: error });
  }
}
