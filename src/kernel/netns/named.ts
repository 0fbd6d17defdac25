/** Named network namespaces, kept as `ip netns` keeps them: a file in /run/netns on which the namespace is mounted. */

import { mkdirSync, unlinkSync } from 'node:fs';
import * as C from '#kernel/ffi/constants.ts';
import { checked, errnoName, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';
import { inNewNetns } from '#kernel/netns/enter.ts';
import { NETNS_DIR, type Netns, namedNetnsPath, openNetns } from '#kernel/netns/netns.ts';

/** Makes a named namespace and opens it; its `lo` is down. @throws SystemError (EEXIST: the name is taken; EPERM). */
export function createNetns(name: string): Netns {
  const path = namedNetnsPath(name);
  shareDirectory();
  const flags = C.O_RDONLY | C.O_CREAT | C.O_EXCL | C.O_CLOEXEC;
  libc.close(checked(libc.open(path, flags, 0), 'open', `make network namespace ${path}`));
  try {
    inNewNetns(() => {
      const made = libc.mount('/proc/thread-self/ns/net', path, 'none', C.MS_BIND, null);
      checked(made, 'mount', `mount the network namespace on ${path}`);
    });
    return openNetns({ name });
  } catch (error) {
    deleteNetns(name);
    throw error;
  }
}

/**
 * Takes the name away; the namespace itself goes when its last process and descriptor are gone.
 * True if there was one. @throws SystemError (EPERM, EBUSY).
 */
export function deleteNetns(name: string): boolean {
  const path = namedNetnsPath(name);
  // Not a mount point (EINVAL) is what a creation that was interrupted leaves behind.
  if (libc.umount2(path, C.MNT_DETACH) < 0 && !['EINVAL', 'ENOENT'].includes(errnoName(lastErrno()))) {
    throw new SystemError('umount2', lastErrno(), `unmount ${path}`);
  }
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Makes /run/netns a shared mount, as iproute2 does, so that names made and deleted here are so in every mount
 * namespace that got a copy of it. Under the same lock that `ip netns` takes.
 */
function shareDirectory(): void {
  mkdirSync(NETNS_DIR, { recursive: true, mode: 0o755 });
  const lock = checked(libc.open(NETNS_DIR, C.O_RDONLY | C.O_CLOEXEC, 0), 'open', `open ${NETNS_DIR}`);
  try {
    checked(libc.flock(lock, C.LOCK_EX), 'flock', `lock ${NETNS_DIR}`);
    if (makeShared() === 0) return;
    // EINVAL: it is no mount point yet.
    checked(libc.mount(NETNS_DIR, NETNS_DIR, 'none', C.MS_BIND | C.MS_REC, null), 'mount', `mount ${NETNS_DIR}`);
    checked(makeShared(), 'mount', `share the mount ${NETNS_DIR}`);
  } finally {
    libc.close(lock);
  }
}

function makeShared(): number {
  return libc.mount('', NETNS_DIR, 'none', C.MS_SHARED | C.MS_REC, null);
}
