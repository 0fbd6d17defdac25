/** Text as a file that is only in memory, for libraries that read files. */

import { writeSync } from 'node:fs';
import { checked } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';

const MFD_CLOEXEC = 1;

export interface MemoryFile extends Disposable {
  /** Valid in this process, on every thread. */
  readonly path: string;
}

/** It is gone when it is disposed of. @throws SystemError */
export function memoryFile(text: string): MemoryFile {
  const fd = checked(libc.memfdCreate('polder', MFD_CLOEXEC), 'memfd_create', 'make a file in memory');
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeFd(fd) };
}
