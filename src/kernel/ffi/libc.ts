/** The C library of this process. Every signature is the manual page's; results are raw, errno is read by `errno.ts`. */

import koffi from 'koffi';

const libc = koffi.load(null);

type Bytes = Uint8Array;

export const open: (path: string, flags: number, mode: number) => number = libc.func(
  'int open(const char *path, int flags, uint mode)',
);
/** An anonymous file in memory, memfd_create(2). */
export const memfdCreate: (name: string, flags: number) => number = libc.func(
  'int memfd_create(const char *name, uint flags)',
);
export const close: (fd: number) => number = libc.func('int close(int fd)');
export const flock: (fd: number, operation: number) => number = libc.func('int flock(int fd, int operation)');
export const ioctl: (fd: number, request: number, arg: number) => number = libc.func(
  'int ioctl(int fd, ulong request, long arg)',
);

export const fcntl: (fd: number, command: number, arg: number) => number = libc.func(
  'int fcntl(int fd, int command, long arg)',
);

export const setns: (fd: number, type: number) => number = libc.func('int setns(int fd, int type)');
export const unshare: (flags: number) => number = libc.func('int unshare(int flags)');
export const mount: (
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  data: string | null,
) => number = libc.func(
  'int mount(const char *source, const char *target, const char *type, ulong flags, const char *data)',
);
export const umount2: (target: string, flags: number) => number = libc.func(
  'int umount2(const char *target, int flags)',
);

export const socket: (domain: number, type: number, protocol: number) => number = libc.func(
  'int socket(int domain, int type, int protocol)',
);
export const bind: (fd: number, addr: Bytes, length: number) => number = libc.func(
  'int bind(int fd, const uint8_t *addr, uint length)',
);
export const connect: (fd: number, addr: Bytes, length: number) => number = libc.func(
  'int connect(int fd, const uint8_t *addr, uint length)',
);
export const listen: (fd: number, backlog: number) => number = libc.func('int listen(int fd, int backlog)');
/** Whoever connected is not asked for: `addr` and `length` are NULL. */
export const accept4: (fd: number, addr: null, length: null, flags: number) => number = libc.func(
  'int accept4(int fd, void *addr, void *length, int flags)',
);
/** `fds`: `struct pollfd` each. */
export const poll: (fds: Bytes, count: number, timeoutMs: number) => number = libc.func(
  'int poll(_Inout_ uint8_t *fds, ulong count, int timeout)',
);
export const shutdown: (fd: number, how: number) => number = libc.func('int shutdown(int fd, int how)');
export const getsockopt: (fd: number, level: number, name: number, value: Bytes, length: Uint32Array) => number =
  libc.func('int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint *length)');
export const setsockopt: (fd: number, level: number, name: number, value: Bytes, length: number) => number = libc.func(
  'int setsockopt(int fd, int level, int name, const uint8_t *value, uint length)',
);

const sendFunc = libc.func('long send(int fd, const uint8_t *data, size_t length, int flags)');
export const send: (fd: number, data: Bytes, length: number, flags: number) => number = sendFunc;
export const sendto: (
  fd: number,
  data: Bytes,
  length: number,
  flags: number,
  addr: Bytes,
  addrLength: number,
) => number = libc.func(
  'long sendto(int fd, const uint8_t *data, size_t length, int flags, const uint8_t *addr, uint addr_length)',
);
export const recv: (fd: number, data: Bytes, length: number, flags: number) => number = libc.func(
  'long recv(int fd, _Out_ uint8_t *data, size_t length, int flags)',
);

/** koffi refuses more than 256 calls at once (`max_async_calls`), and libuv has four threads for them. */
const MOST_ASYNC = 64;
let running = 0;
const waiting: (() => void)[] = [];

/**
 * `send` on a thread of the pool: for requests that the kernel answers only after a wait. Any number may be under way, most
 * of them wait for their turn. Resolves to the result and errno.
 */
export async function sendAsync(fd: number, data: Bytes, length: number): Promise<{ result: number; errno: number }> {
  if (running >= MOST_ASYNC) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await startSend(fd, data, length);
  } finally {
    // Whoever has waited longest takes the place over.
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

function startSend(fd: number, data: Bytes, length: number): Promise<{ result: number; errno: number }> {
  return new Promise((resolve, reject) => {
    sendFunc.async(fd, data, length, 0, (error: Error | null, result: number) => {
      if (error) reject(error);
      else resolve({ result, errno: koffi.errno() });
    });
  });
}

/** Ends the process at once with SIGABRT. */
export const abort: () => void = libc.func('void abort()');

const getpid = libc.func('int getpid()');

/**
 * Makes libuv start its pool now. The pool's threads are made at the first use and inherit the namespaces of the
 * thread that makes them: were that inside another network namespace, DNS look-ups would for ever be made there.
 */
export function startThreadPool(): void {
  getpid.async(() => {});
}
