/**
 * What comes over a unix socket, with a descriptor that may stand beside it. Source: recvmsg(2), cmsg(3), SCM_RIGHTS of
 * unix(7); structures as on 64-bit machines.
 */

import koffi from 'koffi';
import * as C from '#kernel/ffi/constants.ts';
import { checked, errnoName, lastErrno } from '#kernel/ffi/errno.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import { readableWithin } from '#kernel/ffi/unix-socket.ts';

const recvmsg: (fd: number, message: bigint, flags: number) => number = koffi
  .load(null)
  .func('long recvmsg(int fd, void *message, int flags)');

const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** `struct msghdr`, `struct iovec`, `struct cmsghdr` with its descriptor, and the bytes: one block that nobody moves. */
const IOV = 56;
const CONTROL = 72;
const DATA = 96;
const SIZE = 64 * 1024;

/** In `struct msghdr`. */
const CONTROL_LENGTH_AT = 40;
/** In `struct cmsghdr`. */
const LEVEL_AT = CONTROL + 8;
const TYPE_AT = CONTROL + 12;
const DESCRIPTOR_AT = CONTROL + 16;

/** `CMSG_LEN` of one descriptor: for more there is no room, and the kernel closes them. */
const ROOM = 20n;

const block: bigint = koffi.address(koffi.alloc('uint8_t', DATA + SIZE));
const memory = koffi.view(block, DATA + SIZE);
const view = new DataView(memory);
const data = new Uint8Array(memory, DATA, SIZE);
view.setBigUint64(16, block + BigInt(IOV), true);
view.setBigUint64(24, 1n, true);
view.setBigUint64(32, block + BigInt(CONTROL), true);
view.setBigUint64(IOV, block + BigInt(DATA), true);
view.setBigUint64(IOV + 8, BigInt(SIZE), true);

export interface Received {
  /** Valid until the next call on this thread; empty at the end of the stream. */
  readonly bytes: Uint8Array;
  /** The receiver's, close-on-exec. */
  readonly descriptor?: number;
}

/**
 * Undefined if nothing is there yet, nor within `patienceMs` milliseconds, for which the whole thread waits.
 * @throws SystemError (ECONNRESET)
 */
export function receiveMessage(fd: number, patienceMs = 0): Received | undefined {
  view.setBigUint64(CONTROL_LENGTH_AT, ROOM, true);
  const length = recvmsg(fd, block, C.MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0 && errnoName(lastErrno()) === 'EAGAIN') {
    return patienceMs > 0 && readableWithin(fd, patienceMs) ? receiveMessage(fd) : undefined;
  }
  checked(length, 'recvmsg', 'receive from a unix socket');
  const bytes = data.subarray(0, length);
  const descriptor = received();
  return descriptor === undefined ? { bytes } : { bytes, descriptor };
}

function received(): number | undefined {
  if (view.getBigUint64(CONTROL_LENGTH_AT, true) < ROOM) return undefined;
  const rights = view.getInt32(LEVEL_AT, true) === C.SOL_SOCKET && view.getInt32(TYPE_AT, true) === SCM_RIGHTS;
  return rights ? view.getInt32(DESCRIPTOR_AT, true) : undefined;
}

/** Closes what came beside bytes that should have come alone. */
export function closeReceived({ descriptor }: Received): void {
  if (descriptor !== undefined) closeFd(descriptor);
}
