/**
 * Who has which address: a folder a network, a file an address, in the format of the reference plugin, so that a node
 * can change from it to this one and back with pods running. A file `10.1.0.5` holds the container's ID, CR LF, and the
 * interface's name (only the ID in the oldest form); `last_reserved_ip.N` the address that set N gave last; `lock` is
 * locked by flock(2) while anybody reads or writes.
 */

import { closeSync, openSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
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
    using lock = await lockStore(dir);
    if (!lock) throw new PolderError('cni-try-later', { what: `Another process holds ${dir}/${LOCK}` });
    return use(new DirStore(dir));
  } catch (error) {
    if (error instanceof PolderError) throw error;
    const what = `Cannot use the address store: ${error instanceof Error ? error.message : error}`;
    throw new PolderError('cni-io', { what }, { cause: error });
  }
}

/** The folder is there, but for the first call of its network. */
async function lockStore(dir: string): Promise<Disposable | undefined> {
  const path = `${dir}/${LOCK}`;
  try {
    return await lockFile(path, 'exclusive', LOCK_TIMEOUT_MS);
  } catch (error) {
    if (!isMissing(error)) throw error;
    makeFolder(dir);
    return await lockFile(path, 'exclusive', LOCK_TIMEOUT_MS);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function isFolder(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EISDIR';
}

/** The folder as it is while it is locked. */
export class DirStore {
  readonly #dir: string;
  /** Read once: nobody else changes it meanwhile. */
  #taken: Set<Addr> | undefined;
  /** How long the text is that a set's last address was read from. */
  readonly #lastLength = new Map<number, number>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Every address that somebody has. */
  get taken(): ReadonlySet<Addr> {
    return this.#addresses();
  }

  #addresses(): Set<Addr> {
    this.#taken ??= new Set(readdirSync(this.#dir).flatMap((name) => readAddr(name) ?? []));
    return this.#taken;
  }

  /** What the owner has. Takes away what nobody has. */
  of({ containerId, ifname }: Owner): Addr[] {
    const whole = `${containerId}\r\n${ifname}`;
    return this.#texts()
      .filter(({ text }) => text === whole || text === containerId)
      .map(({ addr }) => addr);
  }

  /** Everybody, for GC. Without an interface's name: the oldest form. */
  all(): { readonly addr: Addr; readonly containerId: string; readonly ifname?: string }[] {
    return this.#texts().map(({ addr, text }) => {
      const [containerId = '', ifname] = text.split(/\r?\n/);
      return { addr, containerId, ...(ifname && { ifname }) };
    });
  }

  /**
   * An empty file is of somebody who was killed before he wrote his name: whoever holds the lock sees no other's half
   * done work, and no DEL would ever find it.
   */
  #texts(): { readonly addr: Addr; readonly text: string }[] {
    return [...this.#addresses()].flatMap((addr) => {
      const text = this.#read(addr);
      if (text === '') this.release(addr);
      return text ? [{ addr, text }] : [];
    });
  }

  /** Written down whole, or not at all. */
  reserve(addr: Addr, { containerId, ifname }: Owner): void {
    const fd = openSync(`${this.#dir}/${addr}`, 'wx', 0o600);
    this.#addresses().add(addr);
    try {
      writeFileSync(fd, `${containerId}\r\n${ifname}`);
    } catch (error) {
      this.release(addr);
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** That set `set` gave this address last. */
  noteLast(addr: Addr, set: number): void {
    overwrite(`${this.#dir}/${LAST}${set}`, addr, this.#lastLength.get(set));
  }

  release(addr: Addr): void {
    this.#addresses().delete(addr);
    try {
      unlinkSync(`${this.#dir}/${addr}`);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  last(set: number): Addr | undefined {
    const text = this.#read(`${LAST}${set}`) ?? '';
    this.#lastLength.set(set, text.length);
    return readAddr(text.trim());
  }

  /** Undefined: there is none, or it is a folder, which is nobody's record. */
  #read(name: string): string | undefined {
    try {
      return readFileSync(`${this.#dir}/${name}`, 'utf8');
    } catch (error) {
      if (isMissing(error) || isFolder(error)) return undefined;
      throw error;
    }
  }
}

/**
 * In place: ext4 frees the block of a file that is cut to nothing, and looks for another when it is written again, which
 * took a fifth of the time of an ADD. It is cut only where it is, or may be, too long.
 */
function overwrite(path: string, text: string, before: number | undefined): void {
  const inPlace = before !== undefined && before > 0 && before <= text.length;
  writeFileSync(path, text, { flag: inPlace ? 'r+' : 'w', mode: 0o600 });
}
