/**
 * The addresses of pools that this node may give without asking anybody, on disk, so that a restart while the API is
 * away changes nothing.
 *
 * At every instant they are a part of what the API says this node has: an address is added after the API took the
 * write, and taken out before the API is asked to give it to others.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Addr, compareAddr, readAddr } from '#net/addr.ts';
import { type Prefix, readPrefix } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { isObject } from '#wire/cni/json.ts';

const VERSION = 1;

export class Holdings {
  readonly #path: string;
  /** By block, in the order of addresses. */
  readonly #blocks = new Map<Prefix, readonly Addr[]>();
  readonly #all = new Map<Addr, Prefix>();

  /** @throws PolderError journal-damaged when the file is there and cannot be understood */
  constructor(path: string) {
    this.#path = path;
    for (const [block, addrs] of readFile(path)) this.#put(block, addrs);
  }

  get blocks(): ReadonlyMap<Prefix, readonly Addr[]> {
    return this.#blocks;
  }

  has(addr: Addr): boolean {
    return this.#all.has(addr);
  }

  blockOf(addr: Addr): Prefix | undefined {
    return this.#all.get(addr);
  }

  /** Sets what is held of a block; on disk when it returns. @throws PolderError cni-io, and then nothing has changed */
  set(block: Prefix, addrs: readonly Addr[]): void {
    const before = this.#blocks.get(block) ?? [];
    const sorted = [...new Set(addrs)].sort(compareAddr);
    if (before.length === sorted.length && before.every((addr, i) => addr === sorted[i])) return;
    const next = new Map(this.#blocks);
    next.set(block, sorted);
    if (sorted.length === 0) next.delete(block);
    this.#write(next);
    this.#put(block, sorted);
  }

  #put(block: Prefix, addrs: readonly Addr[]): void {
    for (const addr of this.#blocks.get(block) ?? []) this.#all.delete(addr);
    for (const addr of addrs) this.#all.set(addr, block);
    if (addrs.length === 0) this.#blocks.delete(block);
    else this.#blocks.set(block, addrs);
  }

  #write(blocks: ReadonlyMap<Prefix, readonly Addr[]>): void {
    const draft = `${this.#path}.new`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      writeFileSync(draft, `${JSON.stringify({ version: VERSION, blocks: Object.fromEntries(blocks) })}\n`, {
        mode: 0o600,
      });
      renameSync(draft, this.#path);
    } catch (error) {
      throw new PolderError('cni-io', { what: `Cannot write ${this.#path}: ${String(error)}` }, { cause: error });
    }
  }
}

function readFile(path: string): [Prefix, Addr[]][] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new PolderError('cni-io', { what: `Cannot read ${path}: ${String(error)}` }, { cause: error });
  }
  const read = readHoldings(text);
  if (read === undefined) throw new PolderError('journal-damaged', { file: path, line: 1 });
  return read;
}

/** Undefined if the text is no list of holdings. */
export function readHoldings(text: string): [Prefix, Addr[]][] | undefined {
  const file = parsed(text);
  if (!isObject(file) || file.version !== VERSION || !isObject(file.blocks)) return undefined;
  const blocks = Object.entries(file.blocks).map(([block, addrs]): [Prefix, Addr[]] | undefined => {
    const cidr = readPrefix(block);
    const known = Array.isArray(addrs) ? addrs.map((addr) => readAddr(String(addr))) : [undefined];
    const whole = known.filter((addr) => addr !== undefined);
    return cidr !== undefined && whole.length === known.length ? [cidr, whole] : undefined;
  });
  const whole = blocks.filter((block) => block !== undefined);
  return whole.length === blocks.length ? whole : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
