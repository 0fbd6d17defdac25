/**
 * The endpoints of a node and their addresses: one journal holds both, so that an address and what it is for can
 * never disagree. Nothing here touches the kernel.
 */

import { Journal } from '#cni/ipam/journal.ts';
import {
  type Allocations,
  apply,
  compacted,
  type EndpointKey,
  type JournalRecord,
  noAllocations,
} from '#cni/ipam/record.ts';
import type { AddressSource } from '#cni/ipam/source.ts';
import { type Addr, familyOf } from '#net/addr.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { PolderError } from '#spec/errors.ts';

export interface StoreOptions {
  /** The journal's file. */
  readonly path: string;
  /** /proc/sys/kernel/random/boot_id: allocations of another boot are void. */
  readonly bootId: string;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  /** How long a freed address rests before it is given again, milliseconds. */
  readonly coolDownMs: number;
}

/** What an attachment asks for; `make` gives the endpoint for the addresses that it gets. */
export interface Allocation {
  /** One a family. */
  readonly sources: readonly AddressSource[];
  /** Addresses that the caller asks for by name; families without one are chosen. */
  readonly wanted: readonly Addr[];
  readonly make: (addrs: readonly Addr[]) => LocalEndpoint;
}

/** The journal is written anew when it holds this many times more records than it needs. */
const SLACK = 4;
/** And so many at least, and so many after the last time that this was looked at. */
const SMALLEST = 1000;

export class EndpointStore implements Disposable {
  readonly #options: StoreOptions;
  readonly #state: Allocations = noAllocations();
  readonly #journal: Journal;
  /** With so many records it is looked at whether the journal needs them: each look goes through all that rest. */
  #nextLook = SMALLEST;
  /** Endpoints on their way out: their addresses are taken still, but nobody should program them any more. */
  readonly #hidden = new Set<EndpointKey>();
  readonly #listeners = new Set<() => void>();

  /** @throws PolderError journal-damaged, cni-io */
  constructor(options: StoreOptions) {
    this.#options = options;
    this.#journal = new Journal(options.path, options.bootId, (record) => apply(this.#state, record));
  }

  /**
   * Takes addresses, one of each source, and writes them down before it returns.
   * @throws PolderError addresses-exhausted, address-outside, address-taken, cni-io
   */
  allocate(wish: Allocation): LocalEndpoint {
    const { sources, wanted } = wish;
    for (const addr of wanted) this.#checkWanted(sources, addr);
    const addrs = sources.map(
      (source) => wanted.find((addr) => familyOf(addr) === source.family) ?? this.#choose(source),
    );
    const endpoint = wish.make(addrs);
    this.#write({ op: 'add', endpoint });
    return endpoint;
  }

  #checkWanted(sources: readonly AddressSource[], addr: Addr): void {
    const source = sources.find(({ family }) => family === familyOf(addr));
    if (!source?.has(addr)) {
      const cidr = source?.label ?? sources.map(({ label }) => label).join(', ');
      throw new PolderError('address-outside', { address: addr, cidr });
    }
    const holder = this.#state.holders.get(addr);
    if (holder !== undefined) throw new PolderError('address-taken', { address: addr, holder: this.#nameOf(holder) });
  }

  #nameOf(key: EndpointKey): string {
    const endpoint = this.#state.held.get(key)?.endpoint;
    if (endpoint?.podName) return `pod ${endpoint.podNamespace ?? 'default'}/${endpoint.podName}`;
    return endpoint ? `container ${endpoint.containerId}` : key;
  }

  #choose(source: AddressSource): Addr {
    const addr = this.nextOf(source);
    if (addr === undefined) throw this.#exhausted(source, this.#options.now());
    return addr;
  }

  /** The address that an attachment would get now; undefined if none is free. */
  nextOf(source: AddressSource): Addr | undefined {
    const now = this.#options.now();
    const isFree = (addr: Addr) => !this.#state.holders.has(addr) && this.#restLeft(addr, now) === 0;
    return source.next(this.#state.last.get(source.family), isFree);
  }

  /** Who has the address, for people; undefined: nobody. */
  holderOf(addr: Addr): string | undefined {
    const key = this.#state.holders.get(addr);
    return key === undefined ? undefined : this.#nameOf(key);
  }

  /** Whether the address was freed a short while ago. */
  rests(addr: Addr): boolean {
    return this.#restLeft(addr, this.#options.now()) > 0;
  }

  /** Milliseconds until the next resting address may be given; undefined if none rests. */
  nextRested(): number | undefined {
    const now = this.#options.now();
    const lefts = [...this.#state.resting.keys()].map((addr) => this.#restLeft(addr, now)).filter((left) => left > 0);
    return lefts.length === 0 ? undefined : Math.min(...lefts);
  }

  /** Milliseconds until the address may be given again. A clock that was set back never makes it rest much longer. */
  #restLeft(addr: Addr, now: number): number {
    const at = this.#state.resting.get(addr);
    if (at === undefined) return 0;
    const left = at + this.#options.coolDownMs - now;
    return left > 0 && left <= 2 * this.#options.coolDownMs ? left : 0;
  }

  #exhausted(source: AddressSource, now: number): PolderError {
    const used = [...this.#state.holders.keys()].filter((addr) => source.has(addr)).length;
    const lefts = [...this.#state.resting.keys()]
      .filter((addr) => source.has(addr))
      .map((addr) => this.#restLeft(addr, now))
      .filter((left) => left > 0);
    const until = lefts.length > 0 ? ` (the next is free in ${Math.ceil(Math.min(...lefts) / 1000)} s)` : '';
    return new PolderError('addresses-exhausted', { cidr: source.label, used, resting: lefts.length, until });
  }

  /** Free addresses that may be given at once: for STATUS. */
  freeIn(source: AddressSource): number {
    const now = this.#options.now();
    const used = [...this.#state.holders.keys()].filter((addr) => source.has(addr)).length;
    const resting = [...this.#state.resting.keys()].filter((a) => source.has(a) && this.#restLeft(a, now) > 0);
    return source.size - used - resting.length;
  }

  /** The kernel is done with it: from now on the agent sees it. */
  up(key: EndpointKey): void {
    this.#write({ op: 'up', key });
    this.#hidden.delete(key);
    this.#changed();
  }

  /** It is about to go (or was lost): the agent no longer sees it, its addresses stay taken. */
  hide(key: EndpointKey): void {
    if (!this.#state.held.has(key) || this.#hidden.has(key)) return;
    this.#hidden.add(key);
    this.#changed();
  }

  /** Frees its addresses, which then rest. Nothing to do if there is no such endpoint. */
  free(key: EndpointKey): void {
    if (!this.#state.held.has(key)) return;
    this.#write({ op: 'del', key, at: this.#options.now() });
    this.#hidden.delete(key);
    this.#changed();
  }

  find(key: EndpointKey): LocalEndpoint | undefined {
    return this.#state.held.get(key)?.endpoint;
  }

  hasHostIfname(name: string): boolean {
    for (const { endpoint } of this.#state.held.values()) if (endpoint.hostIfname === name) return true;
    return false;
  }

  isUp(key: EndpointKey): boolean {
    return this.#state.held.get(key)?.up ?? false;
  }

  /** Everything that holds an address, also what is only half made. */
  all(): LocalEndpoint[] {
    return Array.from(this.#state.held.values(), (held) => held.endpoint);
  }

  /** What the agent should program. */
  endpoints(): LocalEndpoint[] {
    return Array.from(this.#state.held)
      .filter(([key, held]) => held.up && !this.#hidden.has(key))
      .map(([, held]) => held.endpoint);
  }

  /** Calls `listener` after each change of `endpoints()`. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #write(record: JournalRecord): void {
    this.#journal.append(record);
    apply(this.#state, record);
    this.#compact();
  }

  #compact(): void {
    if (this.#journal.lines < this.#nextLook) return;
    this.#forgetRested();
    const needed = 2 * this.#state.held.size + this.#state.resting.size;
    if (this.#journal.lines >= SLACK * needed) this.#rewrite();
    this.#nextLook = Math.max(this.#journal.lines + SMALLEST, SLACK * needed);
  }

  /** Where round-robin does not come back to them, nothing else would. */
  #forgetRested(): void {
    const { resting } = this.#state;
    const now = this.#options.now();
    for (const addr of resting.keys()) if (this.#restLeft(addr, now) === 0) resting.delete(addr);
  }

  #rewrite(): void {
    try {
      this.#journal.rewrite(compacted(this.#state));
    } catch {
      // The disk is full: the long journal says the same, and a later record tries again.
    }
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}
