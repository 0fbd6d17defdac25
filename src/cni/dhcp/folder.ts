/**
 * The leases of a node, a file each, below the folder of the agent's socket: in /run, so that they are gone with the
 * pods when the machine starts anew, and there when only the agent does.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileOf, formatRecord, type LeaseKey, type LeaseRecord, parseRecord } from '#cni/dhcp/record.ts';
import type { Log } from '#cni/log.ts';
import { PolderError } from '#spec/errors.ts';

/** Renews leases for as long as pods need them. */
export interface LeaseTender {
  /** Written down when this returns. @throws PolderError cni-io */
  keep(record: LeaseRecord): void;
  /** Nothing more is done for the lease; it is still in the folder. */
  stop(key: LeaseKey): Promise<void>;
}

export class LeaseFolder {
  readonly #dir: string;
  readonly #log: Log;

  /** @param socketPath where the agent listens, or would. */
  constructor(socketPath: string, log: Log) {
    this.#dir = join(dirname(socketPath), 'dhcp');
    this.#log = log;
  }

  /** Whole or not at all: it comes by a rename. @throws PolderError cni-io */
  put(record: LeaseRecord): void {
    const path = join(this.#dir, fileOf(record));
    try {
      mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, formatRecord(record), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      forget(`${path}.new`);
      const what = `Cannot keep a lease in ${this.#dir}: ${error instanceof Error ? error.message : error}`;
      throw new PolderError('cni-io', { what }, { cause: error });
    }
  }

  get(key: LeaseKey): LeaseRecord | undefined {
    return this.#read(fileOf(key));
  }

  remove(key: LeaseKey): void {
    rmSync(join(this.#dir, fileOf(key)), { force: true });
  }

  all(): LeaseRecord[] {
    return this.#names().flatMap((name) => (name.endsWith('.json') ? (this.#read(name) ?? []) : []));
  }

  #names(): string[] {
    try {
      return readdirSync(this.#dir);
    } catch {
      return []; // no lease yet
    }
  }

  /** One that cannot be read is no lease any more: the server ends it at its time. */
  #read(name: string): LeaseRecord | undefined {
    try {
      return parseRecord(readFileSync(join(this.#dir, name), 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      this.#log.warn({ file: join(this.#dir, name), error: String(error) }, 'a DHCP lease cannot be read');
      return undefined;
    }
  }
}

/** On a full disk its first half would take room that the next needs. */
function forget(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The reason why it could not be written says more.
  }
}
