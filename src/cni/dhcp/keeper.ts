/** The agent's part in DHCP: keeps the leases of all pods of the node, also those that it got before it was started anew. */

import type { LeaseFolder, LeaseTender } from '#cni/dhcp/folder.ts';
import { fileOf, type LeaseKey, type LeaseRecord } from '#cni/dhcp/record.ts';
import { Upkeep } from '#cni/dhcp/upkeep.ts';
import type { Log } from '#cni/log.ts';

export class LeaseKeeper implements LeaseTender, AsyncDisposable {
  readonly #folder: LeaseFolder;
  readonly #log: Log;
  readonly #upkeeps = new Map<string, Upkeep>();

  /** Goes on with the leases that are in the folder. */
  constructor(folder: LeaseFolder, log: Log) {
    this.#folder = folder;
    this.#log = log;
    for (const record of folder.all()) this.#start(record);
  }

  keep(record: LeaseRecord): void {
    this.#folder.put(record);
    this.#start(record);
  }

  #start(record: LeaseRecord): void {
    this.#upkeeps.set(fileOf(record), new Upkeep(record, this.#folder, this.#log));
  }

  async stop(key: LeaseKey): Promise<void> {
    const upkeep = this.#upkeeps.get(fileOf(key));
    this.#upkeeps.delete(fileOf(key));
    await upkeep?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#upkeeps.values()];
    this.#upkeeps.clear();
    await Promise.all(all.map((upkeep) => upkeep.stop()));
  }
}
