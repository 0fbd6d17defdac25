/** A disk that is soon full, mounted only in the mount namespace of a process that holds it until the test has ended. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** @param limits as mount(8) takes them for tmpfs: `size=4k`. @returns its root, as this process and its children see it */
export async function smallDisk(t: TestContext, limits: string): Promise<string> {
  const at = mkdtempSync(join(tmpdir(), 'pt-disk-'));
  const script = 'mount -t tmpfs -o "$1" polder-test "$0" && echo mounted && read -r _';
  const words = ['--mount', '--propagation', 'private', 'sh', '-c', script, at, limits];
  const holder = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'close');
  t.after(async () => {
    holder.stdin.end();
    await ended;
    rmSync(at, { recursive: true });
  });
  await once(holder.stdout, 'data');
  return `/proc/${holder.pid}/root${at}`;
}
