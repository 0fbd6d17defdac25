/**
 * Who has which address: a folder a network, a file an address, in the format of the reference plugin, so that a node
 * can change from it to this one and back with pods running. A file `10.1.0.5` holds the container's ID, CR LF, and the
 * interface's name (only the ID in the oldest form); `last_reserved_ip.N` the address that set N gave last; `lock` is
 * locked by flock(2) while anybody reads or writes.
 */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { makeFolder } from '#cni/parts/folder.ts';
import { lockFile } from '#kernel/file-lock.ts';
import { type Addr, readAddr } from '#net/addr.ts';
import { PolderError } from '#spec/errors.ts';

export interface Owner {
  readonly containerId: string;
  readonly ifname: string;
}

const LOCK = 'lock';
const LAST = 'last_reserved_ip.';
const LOCK_TIMEOUT_MS = 30_000;

/**
 * Runs `use` with the folder locked. `use` must be synchronous: then nothing of this process comes between either.
 * @throws PolderError cni-io, cni-try-later
 */
export async function withStore<T>(dir: string, use: (store: DirStore) => T): Promise<T> {
  try {
    makeFolder(dir);
    using lock = await lockFile(`${dir}/${LOCK}`, 'exclusive', LOCK_TIMEOUT_MS);
    if (!lock) throw new PolderError('cni-try-later', { what: `Another process holds ${dir}/${LOCK}` });
    return use(new DirStore(dir));
  } catch (error) {
    if (error instanceof PolderError) throw error;
    const what = `Cannot use the address store: ${error instanceof Error ? error.message : error}`;
    throw new PolderError('cni-io', { what }, { cause: error });
  }
}

export class DirStore {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Every address that somebody has. */
  taken(): Addr[] {
    return readdirSync(this.#dir).flatMap((name) => readAddr(name) ?? []);
  }

  /** What the owner has. */
  of({ containerId, ifname }: Owner): Addr[] {
    const whole = `${containerId}\r\n${ifname}`;
    return this.taken().filter((addr) => {
      const text = this.#read(addr);
      return text === whole || text === containerId;
    });
  }

  /** Everybody, for GC. Without an interface's name: the oldest form. */
  all(): { readonly addr: Addr; readonly containerId: string; readonly ifname?: string }[] {
    return this.taken().map((addr) => {
      const [containerId = '', ifname] = (this.#read(addr) ?? '').split(/\r?\n/);
      return { addr, containerId, ...(ifname && { ifname }) };
    });
  }

  reserve(addr: Addr, { containerId, ifname }: Owner, set: number): void {
    writeFileSync(`${this.#dir}/${addr}`, `${containerId}\r\n${ifname}`, { flag: 'wx', mode: 0o600 });
    writeFileSync(`${this.#dir}/${LAST}${set}`, addr, { mode: 0o600 });
  }

  release(addr: Addr): void {
    rmSync(`${this.#dir}/${addr}`, { force: true });
  }

  last(set: number): Addr | undefined {
    return readAddr((this.#read(`${LAST}${set}`) ?? '').trim());
  }

  #read(name: string): string | undefined {
    try {
      return readFileSync(`${this.#dir}/${name}`, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
