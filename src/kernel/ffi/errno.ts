/** Failed system calls as errors that carry the call and the errno. */

import { constants } from 'node:os';
import koffi from 'koffi';

const NAMES = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));
// Two names share a number; these are the ones that the manual pages of the calls here use.
for (const name of ['EAGAIN', 'EOPNOTSUPP'] as const) NAMES.set(constants.errno[name], name);

/** Symbolic name of a positive errno: 'EEXIST'; 'E123' if the C library has none. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/** A system call that failed. `code` is errno's name, as in Node's own errors. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  readonly syscall: string;
  /** Positive. */
  readonly errno: number;
  readonly code: string;

  constructor(syscall: string, errno: number, what: string) {
    super(`Cannot ${what}: ${syscall}: ${errnoName(errno)}`);
    this.syscall = syscall;
    this.errno = errno;
    this.code = errnoName(errno);
  }
}

/** errno of the last call through this module's library, on this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Passes a result of zero or more on. @throws SystemError if it is negative. */
export function checked(result: number, syscall: string, what: string): number {
  if (result < 0) throw new SystemError(syscall, lastErrno(), what);
  return result;
}
