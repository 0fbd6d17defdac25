/** Kernel parameters below /proc/sys; those of `net` are per network namespace. */

import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { inNetns, type NetnsRef } from '#kernel/netns/enter.ts';

/**
 * Reads as sysctl(8) names them: `net.ipv4.ip_forward`; with slashes where an interface's name holds a dot
 * (`net/ipv4/conf/eth0.100/proxy_arp`).
 * @throws Error with `code` ENOENT if the kernel has no such parameter.
 */
export function readSysctl(name: string, ns?: NetnsRef): string {
  return within(ns, () => readFileSync(pathOf(name), 'utf8').trimEnd());
}

/** @throws Error with `code` ENOENT (no such parameter), EINVAL (bad value), EACCES or EROFS (not allowed). */
export function writeSysctl(name: string, value: string | number, ns?: NetnsRef): void {
  within(ns, () => writeFileSync(pathOf(name), `${value}`));
}

/** Files of parameters, kept open: reading one again takes a fraction of the time. Of the namespace that the thread is in. */
export class KeptSysctls implements Disposable {
  readonly #files = new Map<string, number>();
  readonly #buffer = Buffer.alloc(64);

  /** As `readSysctl`; what is longer than 64 bytes is cut. */
  read(name: string): string {
    const fd = this.#files.get(name) ?? this.#open(name);
    return this.#buffer.toString('latin1', 0, readSync(fd, this.#buffer, 0, this.#buffer.length, 0)).trimEnd();
  }

  #open(name: string): number {
    const fd = openSync(pathOf(name), 'r');
    this.#files.set(name, fd);
    return fd;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }
}

function within<T>(ns: NetnsRef | undefined, fn: () => T): T {
  return ns === undefined ? fn() : inNetns(ns, fn);
}

function pathOf(name: string): string {
  const path = name.includes('/') ? name : name.replaceAll('.', '/');
  if (path.split('/').includes('..')) throw new RangeError(`Cannot use "${name}" as the name of a kernel parameter`);
  return `/proc/sys/${path}`;
}
