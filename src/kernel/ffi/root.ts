/** Whether a folder is the root directory of this process: the same mount of the same mount namespace. Source: statx(2). */

import koffi from 'koffi';
import { checked } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

const statx: (dir: number, path: string, flags: number, mask: number, into: Uint8Array) => number = koffi
  .load(null)
  .func('int statx(int dir, const char *path, int flags, uint mask, _Out_ uint8_t *into)');

const O_PATH_CLOEXEC = 0o12000000;
const AT_EMPTY_PATH = 0x1000;
const STATX_INO = 0x100;
const STATX_MNT_ID = 0x1000;

/** `struct statx`. */
const answer = new Uint8Array(256);
const view = new DataView(answer.buffer);
const MASK_AT = 0;
const INO_AT = 32;
const MNT_ID_AT = 144;

/** Inode and mount of a folder; mounts are told apart by number over all mount namespaces, as long as they are there. */
interface Place {
  readonly ino: bigint;
  readonly mount: bigint;
}

let own: Place | undefined;

/** Undefined where the kernel does not tell mounts (before Linux 5.8). @throws SystemError for what is no descriptor */
export function isOwnRoot(folder: number): boolean | undefined {
  own ??= ownRoot();
  const place = placeOf(folder);
  return own && place && place.ino === own.ino && place.mount === own.mount;
}

function ownRoot(): Place | undefined {
  const fd = checked(libc.open('/', O_PATH_CLOEXEC, 0), 'open', 'open /');
  try {
    return placeOf(fd);
  } finally {
    libc.close(fd);
  }
}

function placeOf(fd: number): Place | undefined {
  checked(statx(fd, '', AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, answer), 'statx', 'look at a folder');
  if ((view.getUint32(MASK_AT, true) & STATX_MNT_ID) === 0) return undefined;
  return { ino: view.getBigUint64(INO_AT, true), mount: view.getBigUint64(MNT_ID_AT, true) };
}
