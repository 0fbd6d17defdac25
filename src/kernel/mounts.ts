/** Mounts of this process's mount namespace. */

import { MNT_DETACH } from '#kernel/ffi/constants.ts';
import { errnoName, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

/** Takes a mount out of the tree at once, though it may be busy (MNT_DETACH). True if it was one. @throws SystemError */
export function unmount(point: string): boolean {
  if (libc.umount2(point, MNT_DETACH) === 0) return true;
  const errno = lastErrno();
  // EINVAL: it is no mount point; ENOENT: it is not there.
  if (['EINVAL', 'ENOENT'].includes(errnoName(errno))) return false;
  throw new SystemError('umount2', errno, `unmount ${point}`);
}
