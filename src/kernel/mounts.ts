/** Mounts of this process's mount namespace. */

import { CLONE_NEWNS, CLONE_NEWUTS, MNT_DETACH, MS_BIND, MS_REC, MS_SLAVE } from '#kernel/ffi/constants.ts';
import { checked, errnoName, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

/** Takes a mount out of the tree at once, though it may be busy (MNT_DETACH). True if it was one. @throws SystemError */
export function unmount(point: string): boolean {
  if (libc.umount2(point, MNT_DETACH) === 0) return true;
  const errno = lastErrno();
  // EINVAL: it is no mount point; ENOENT: it is not there.
  if (['EINVAL', 'ENOENT'].includes(errnoName(errno))) return false;
  throw new SystemError('umount2', errno, `unmount ${point}`);
}

/** Unmounts it if nothing uses it or is mounted below. True if it was a mount and is none now. */
export function unmountIdle(point: string): boolean {
  return libc.umount2(point, 0) === 0;
}

/**
 * Gives this thread, and what is spawned from it, mounts and a host name of its own, for good. What the machine mounts
 * later still shows; what is mounted here does not show there. @throws SystemError
 */
export function leaveMounts(): void {
  checked(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS), 'unshare', 'make a mount and a host name namespace');
  checked(libc.mount('', '/', null, MS_REC | MS_SLAVE, null), 'mount', 'keep own mounts to ourselves');
}

/** Mounts the sysfs of the network namespace that this thread is in. @throws SystemError */
export function mountSysfs(point: string): void {
  checked(libc.mount('sysfs', point, 'sysfs', 0, null), 'mount', `mount sysfs on ${point}`);
}

/** Shows a folder at another place too. @throws SystemError */
export function bindMount(from: string, to: string): void {
  checked(libc.mount(from, to, null, MS_BIND, null), 'mount', `bind ${from} on ${to}`);
}
