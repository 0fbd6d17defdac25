/** Being in another network namespace for the length of one synchronous function. */

import { writeSync } from 'node:fs';
import { CLONE_NEWNET, O_CLOEXEC, O_RDONLY } from '#kernel/ffi/constants.ts';
import { checked, errnoName, lastErrno } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

/** A network namespace by descriptor. */
export type NetnsRef = number | { readonly fd: number };

const THIS_THREAD = '/proc/thread-self/ns/net';

/** Descriptor of the namespace that this thread is in now. Modules are per thread in Node, and so are namespaces. */
let here: number | undefined;

export function netnsFd(ns: NetnsRef): number {
  return typeof ns === 'number' ? ns : ns.fd;
}

/** Opens the network namespace of this thread. The caller closes the descriptor. @throws SystemError */
export function openThreadNetns(): number {
  return checked(libc.open(THIS_THREAD, O_RDONLY | O_CLOEXEC, 0), 'open', `open ${THIS_THREAD}`);
}

function present(): number {
  if (here === undefined) {
    libc.startThreadPool();
    here = openThreadNetns();
  }
  return here;
}

/** Going back cannot fail halfway: a program that goes on in the wrong namespace would change the wrong machine. */
function goBack(fd: number): void {
  if (libc.setns(fd, CLONE_NEWNET) === 0) return;
  writeSync(2, `Cannot return to the own network namespace: setns: ${errnoName(lastErrno())}\n`);
  libc.abort();
}

/**
 * Calls `fn` with this thread in the namespace and returns its result. `fn` must be synchronous: sockets made and
 * processes spawned in it belong to the namespace; what merely starts there and goes on later (`net.connect`) does not.
 * @throws SystemError if the namespace cannot be entered; TypeError if `fn` returns a promise; whatever `fn` throws.
 */
export function inNetns<T>(ns: NetnsRef, fn: () => T): T {
  const before = present();
  const target = netnsFd(ns);
  if (target === before) return synchronous(fn());
  checked(libc.setns(target, CLONE_NEWNET), 'setns', 'enter the network namespace');
  here = target;
  try {
    return synchronous(fn());
  } finally {
    goBack(before);
    here = before;
  }
}

function synchronous<T>(result: T): T {
  if (result instanceof Promise)
    throw new TypeError('Cannot await inside another network namespace: use a function that returns at once');
  return result;
}

/** As `inNetns`, in a new namespace that lives only as long as something opened in `fn` holds it. */
export function inNewNetns<T>(fn: () => T): T {
  const before = present();
  checked(libc.unshare(CLONE_NEWNET), 'unshare', 'make a network namespace');
  const fresh = openThreadNetns();
  here = fresh;
  try {
    return synchronous(fn());
  } finally {
    goBack(before);
    here = before;
    libc.close(fresh);
  }
}

/** Moves this thread into the namespace for good: for worker threads that live in one node's namespace. @throws SystemError */
export function moveToNetns(ns: NetnsRef): void {
  present();
  checked(libc.setns(netnsFd(ns), CLONE_NEWNET), 'setns', 'enter the network namespace');
  here = openThreadNetns();
}
