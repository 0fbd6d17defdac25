/** Keeps one lease: renews it at T1, with any server from T2 on, and asks for another address when it is lost. */

import { setTimeout as pause } from 'node:timers/promises';
import { acquire, extend, type Outcome } from '#cni/dhcp/client.ts';
import { bootNow } from '#cni/dhcp/clock.ts';
import type { LeaseFolder } from '#cni/dhcp/folder.ts';
import { phaseOf, retryAfter } from '#cni/dhcp/phase.ts';
import { change, type FoundPod, findPod } from '#cni/dhcp/pod.ts';
import type { LeaseRecord } from '#cni/dhcp/record.ts';
import type { Log } from '#cni/log.ts';
import { addrOf } from '#net/prefix.ts';
import type { Lease } from '#wire/dhcp/lease.ts';

/** A timer stands still while the machine sleeps, a lease does not: it is looked at as often, milliseconds. */
const LOOK_MS = 60_000;
/** One renewal waits so long for its answer. */
const ANSWER_MS = 10_000;
const ACQUIRE_MS = 30_000;
/** Between two tries to get an address again. */
const AGAIN_MS = 10_000;

export class Upkeep {
  record: LeaseRecord;
  readonly #folder: LeaseFolder;
  readonly #log: Log;
  readonly #end = new AbortController();
  readonly #done: Promise<void>;

  constructor(record: LeaseRecord, folder: LeaseFolder, log: Log) {
    this.record = record;
    this.#folder = folder;
    this.#log = log;
    this.#done = this.#run();
  }

  /** Resolves when nothing more is done for the lease. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        const waitMs = await this.#step(bootNow());
        if (waitMs === undefined) return;
        if (waitMs > 0) await pause(Math.min(waitMs, LOOK_MS), undefined, { signal, ref: false });
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn({ ...this.#fields(), error: String(error) }, 'a DHCP lease could not be tended now');
        await pause(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  /** Milliseconds until there is something to do again; undefined: never. */
  async #step(now: number): Promise<number | undefined> {
    const { phase, ends } = phaseOf(this.record, now);
    if (phase === 'bound' && !this.record.lost) return ends - now;
    using pod = findPod(this.record);
    if (!pod) return this.#missing(phase === 'expired', Math.min(ends, now + LOOK_MS) - now);
    // Not before it has ended is the pod closed.
    if (this.record.lost) return await this.#again(pod);
    if (phase === 'expired') return this.#lose(pod, 'its time is over and no server has answered');
    if (phase === 'bound') return ends - now;
    const timeoutMs = Math.max(1000, Math.min(ANSWER_MS, ends - now));
    const ask = { lease: this.record.lease, phase, timeoutMs, signal: this.#end.signal };
    return this.#settle(pod, await extend(pod.link, this.record.who, ask), now, ends);
  }

  #settle(pod: FoundPod, outcome: Outcome, now: number, ends: number): number {
    switch (outcome.kind) {
      case 'lease':
        return this.#renewed(pod, outcome.lease, now);
      case 'refused':
        return this.#lose(pod, `the server refuses to renew it${outcome.why && `: ${outcome.why}`}`);
      case 'silence':
        return retryAfter(ends, bootNow());
    }
  }

  #renewed(pod: FoundPod, lease: Lease, asked: number): number {
    change(pod, this.record, lease);
    const before = this.record;
    this.#keep({ ...before, lease, asked, lost: false });
    if (before.lost || before.lease.address !== lease.address) {
      this.#log.warn({ ...this.#fields(), before: before.lease.address }, 'the pod has an address by DHCP again');
    } else this.#log.info({ ...this.#fields(), server: lease.server }, 'renewed a DHCP lease');
    return 0;
  }

  /** Nobody may use the address any more: the server gives it to others (RFC 2131 §4.4.5). */
  #lose(pod: FoundPod, why: string): number {
    change(pod, this.record, undefined);
    this.#keep({ ...this.record, lost: true });
    this.#log.warn({ ...this.#fields(), why }, 'a DHCP lease is lost: its address was taken off the pod');
    return 0;
  }

  async #again(pod: FoundPod): Promise<number> {
    const { lease, who } = this.record;
    const asked = bootNow();
    const options = { timeoutMs: ACQUIRE_MS, wish: addrOf(lease.address), signal: this.#end.signal };
    return this.#renewed(pod, await acquire(pod.link, who, options), asked);
  }

  /** DEL or GC will come; if they do not, there is nothing to give back once the lease has run out. */
  #missing(expired: boolean, waitMs: number): number | undefined {
    if (!expired) return waitMs;
    this.#log.info(this.#fields(), 'forgot the DHCP lease of a pod that is gone');
    this.#folder.remove(this.record);
    return undefined;
  }

  #keep(record: LeaseRecord): void {
    this.record = record;
    if (!this.#end.signal.aborted) this.#folder.put(record);
  }

  #fields() {
    const { network, containerId, ifname, lease } = this.record;
    return { network, container: containerId, ifname, address: lease.address };
  }
}
