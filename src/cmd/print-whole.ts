/** Standard output as the caller made it, which may be a pipe that takes no more at this moment. */

import { writeSync } from 'node:fs';

/** Node's own stream for it takes milliseconds to set up, and most answers fit at once. @throws Error with the kernel's `code` */
export async function printWhole(text: string): Promise<void> {
  const left = writeSome(Buffer.from(text));
  if (left.length === 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.on('error', reject).write(left, (error) => (error ? reject(error) : resolve()));
  await promise;
}

/** What is left when writing would have to wait. */
function writeSome(bytes: Buffer): Buffer {
  let left = bytes;
  try {
    while (left.length > 0) left = left.subarray(writeSync(1, left));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
  }
  return left;
}
