/** A network namespace that is held open. */

import { readdirSync } from 'node:fs';
import { O_CLOEXEC, O_RDONLY } from '#kernel/ffi/constants.ts';
import { checked } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

/** Where `ip netns` keeps named namespaces. */
export const NETNS_DIR = '/run/netns';

/** As long as it is open the namespace lives, with or without a name or a process. */
export interface Netns extends Disposable {
  readonly fd: number;
  /** What it was opened by. */
  readonly path: string;
  close(): void;
}

export type NetnsName = { readonly path: string } | { readonly name: string } | { readonly pid: number };

/** Where `ip netns` keeps the namespace of this name. @throws RangeError if the name cannot be a file's. */
export function namedNetnsPath(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name) || name.length > 255) {
    throw new RangeError(`Cannot use "${name}" as the name of a network namespace: it must be a file name`);
  }
  return `${NETNS_DIR}/${name}`;
}

/** @throws SystemError (ENOENT: there is none, EACCES: not allowed). */
export function openNetns(which: NetnsName): Netns {
  const path =
    'path' in which ? which.path : 'name' in which ? namedNetnsPath(which.name) : `/proc/${which.pid}/ns/net`;
  return heldNetns(checked(libc.open(path, O_RDONLY | O_CLOEXEC, 0), 'open', `open network namespace ${path}`), path);
}

/** Wraps a descriptor, which it then owns. */
export function heldNetns(fd: number, path: string): Netns {
  let open = true;
  const close = () => {
    if (open) libc.close(fd);
    open = false;
  };
  return { fd, path, close, [Symbol.dispose]: close };
}

/** Names of the named namespaces, sorted. */
export function listNetns(): string[] {
  try {
    return readdirSync(NETNS_DIR).sort();
  } catch {
    return [];
  }
}
