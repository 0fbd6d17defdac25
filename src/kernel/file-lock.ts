/**
 * A lock between processes: flock(2) on a file that stays there for ever. The kernel gives it back when its holder
 * ends in whatever way, so that nothing is ever stale.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import * as C from '#kernel/ffi/constants.ts';
import { checked, errnoName, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

/** Any number may hold a shared lock at once; an exclusive one is held alone. */
export type LockKind = 'shared' | 'exclusive';

const OPERATIONS = { shared: C.LOCK_SH, exclusive: C.LOCK_EX } as const satisfies Record<LockKind, number>;

/** Between two tries, milliseconds: a blocking flock(2) would stop the whole process. */
const RETRY_MS = 5;

/** Held until disposed or the end of the process; undefined if others hold it. @throws SystemError if there can be no such file. */
export function tryLockFile(path: string, kind: LockKind): Disposable | undefined {
  const fd = checked(libc.open(path, C.O_RDWR | C.O_CREAT | C.O_CLOEXEC, 0o600), 'open', `open ${path}`);
  if (libc.flock(fd, OPERATIONS[kind] | C.LOCK_NB) === 0) return { [Symbol.dispose]: () => void libc.close(fd) };
  const errno = lastErrno();
  libc.close(fd);
  if (errnoName(errno) === 'EAGAIN') return undefined;
  throw new SystemError('flock', errno, `lock ${path}`);
}

/** As `tryLockFile`, but waits; undefined if others still hold it after `timeoutMs` milliseconds. @throws SystemError */
export async function lockFile(path: string, kind: LockKind, timeoutMs: number): Promise<Disposable | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const lock = tryLockFile(path, kind);
    if (lock || performance.now() >= end) return lock;
    await sleep(RETRY_MS);
  }
}
