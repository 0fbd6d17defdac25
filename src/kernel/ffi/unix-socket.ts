/**
 * Unix stream sockets by descriptor, unix(7): for a server that answers in less time than Node's own streams need for
 * one connection. Descriptors are close-on-exec.
 */

import * as C from '#kernel/ffi/constants.ts';
import { checked, errnoName, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

/** `sun_path`, with its NUL. */
const LONGEST_PATH = 107;

const F_SETFL = 4;

/** What the peer may take for reading an answer that is larger than the socket's buffer. Seconds. */
const SEND_TIMEOUT_S = 30;

/** @throws SystemError (EADDRINUSE: there is a file of this name); RangeError for a path that is too long */
export function listenUnix(path: string, backlog: number): number {
  const what = `listen at ${path}`;
  const name = sockaddrUn(path);
  const type = C.SOCK_STREAM | C.SOCK_CLOEXEC | C.SOCK_NONBLOCK;
  const fd = checked(libc.socket(C.AF_UNIX, type, 0), 'socket', what);
  try {
    checked(libc.bind(fd, name, name.length), 'bind', what);
    checked(libc.listen(fd, backlog), 'listen', what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function sockaddrUn(path: string): Uint8Array {
  const bytes = Buffer.from(path);
  if (bytes.length > LONGEST_PATH) {
    throw new RangeError(`Cannot use ${path} as a socket: it has ${bytes.length} bytes, more than ${LONGEST_PATH}`);
  }
  return Uint8Array.of(C.AF_UNIX, 0, ...bytes, 0);
}

/** Undefined if nobody waits, or the socket is shut down. The listener must not block; what is returned does. @throws SystemError */
export function acceptOne(listener: number): number | undefined {
  const fd = libc.accept4(listener, null, null, C.SOCK_CLOEXEC);
  if (fd >= 0) return fd;
  const errno = lastErrno();
  if (['EAGAIN', 'EINVAL', 'ECONNABORTED', 'EINTR'].includes(errnoName(errno))) return undefined;
  throw new SystemError('accept4', errno, 'accept a connection');
}

/** From now on whoever connects is refused; who has connected before can still be accepted. */
export function refuseMore(listener: number): void {
  libc.shutdown(listener, C.SHUT_RDWR);
}

/** `struct pollfd`: the descriptor, POLLIN, and what the kernel answers. */
const pollfd = new Int32Array([0, C.POLLIN]);
const pollBytes = new Uint8Array(pollfd.buffer);

/** Waits, and the whole thread with it, until there is something to receive. */
export function readableWithin(fd: number, ms: number): boolean {
  pollfd[0] = fd;
  return libc.poll(pollBytes, 1, ms) > 0;
}

const oneByte = new Uint8Array(1);

/** True once the peer has closed its end (or was killed). */
export function peerGone(fd: number): boolean {
  const length = libc.recv(fd, oneByte, 1, C.MSG_DONTWAIT | C.MSG_PEEK);
  return length === 0 || (length < 0 && errnoName(lastErrno()) !== 'EAGAIN');
}

/** Sends all; waits on a thread of the pool for what the socket's buffer has no room for. @throws SystemError (EPIPE) */
export async function sendBytes(fd: number, bytes: Uint8Array): Promise<void> {
  const sent = libc.send(fd, bytes, bytes.length, C.MSG_DONTWAIT | C.MSG_NOSIGNAL);
  if (sent < 0 && errnoName(lastErrno()) !== 'EAGAIN') checked(sent, 'send', 'answer on a unix socket');
  if (sent < bytes.length) await sendRest(fd, bytes.subarray(Math.max(sent, 0)));
}

async function sendRest(fd: number, bytes: Uint8Array): Promise<void> {
  // libuv makes what it watches non-blocking, and this may have been watched.
  checked(libc.fcntl(fd, F_SETFL, 0), 'fcntl', 'let a unix socket block');
  const timeout = new Uint8Array(BigInt64Array.of(BigInt(SEND_TIMEOUT_S), 0n).buffer);
  checked(
    libc.setsockopt(fd, C.SOL_SOCKET, C.SO_SNDTIMEO, timeout, timeout.length),
    'setsockopt',
    'set a time limit of a unix socket',
  );
  for (let left = bytes; left.length > 0; ) {
    const { result, errno } = await libc.sendAsync(fd, left, left.length);
    if (result < 0) throw new SystemError('send', errno, 'answer on a unix socket');
    left = left.subarray(result);
  }
}
