/** What the journal of addresses holds: one record a line, and the state that a run of records amounts to. */

import { type Addr, type Family, familyOf } from '#net/addr.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';

/** The spec's primary key of an attachment; no part can hold a '/'. */
export type EndpointKey = string;

export function keyOf(e: { network: string; containerId: string; ifname: string }): EndpointKey {
  return `${e.network}/${e.containerId}/${e.ifname}`;
}

export type JournalRecord =
  /** The addresses are taken; written before the kernel is touched. */
  | { readonly op: 'add'; readonly endpoint: LocalEndpoint }
  /** The kernel is done: written before ADD is answered. */
  | { readonly op: 'up'; readonly key: EndpointKey }
  /** The addresses are free, and rest from `at`. */
  | { readonly op: 'del'; readonly key: EndpointKey; readonly at: number }
  /** The last two stand only in a compacted journal: a resting address, and where round-robin is. */
  | { readonly op: 'rest'; readonly addr: Addr; readonly at: number }
  | { readonly op: 'last'; readonly addr: Addr };

export interface Held {
  readonly endpoint: LocalEndpoint;
  /** False between the allocation and the kernel's being done. */
  up: boolean;
}

export interface Allocations {
  readonly held: Map<EndpointKey, Held>;
  /** Who has an address. */
  readonly holders: Map<Addr, EndpointKey>;
  /** When an address was freed, milliseconds of the wall clock. */
  readonly resting: Map<Addr, number>;
  /** The address given last, one a family. */
  readonly last: Map<Family, Addr>;
}

export function noAllocations(): Allocations {
  return { held: new Map(), holders: new Map(), resting: new Map(), last: new Map() };
}

/** Applies one record. */
export function apply(state: Allocations, record: JournalRecord): void {
  switch (record.op) {
    case 'add':
      applyAdd(state, record.endpoint);
      return;
    case 'up': {
      const held = state.held.get(record.key);
      if (held) held.up = true;
      return;
    }
    case 'del':
      applyDel(state, record.key, record.at);
      return;
    case 'rest':
      state.resting.set(record.addr, record.at);
      return;
    case 'last':
      state.last.set(familyOf(record.addr), record.addr);
  }
}

function applyAdd(state: Allocations, endpoint: LocalEndpoint): void {
  const key = keyOf(endpoint);
  state.held.set(key, { endpoint, up: false });
  for (const addr of endpoint.addrs) {
    state.holders.set(addr, key);
    state.resting.delete(addr);
    state.last.set(familyOf(addr), addr);
  }
}

function applyDel(state: Allocations, key: EndpointKey, at: number): void {
  for (const addr of state.held.get(key)?.endpoint.addrs ?? []) {
    state.holders.delete(addr);
    state.resting.set(addr, at);
  }
  state.held.delete(key);
}

/** The fewest records that amount to the same state. */
export function compacted(state: Allocations): JournalRecord[] {
  const records: JournalRecord[] = [];
  for (const [addr, at] of state.resting) records.push({ op: 'rest', addr, at });
  for (const { endpoint, up } of state.held.values()) {
    records.push({ op: 'add', endpoint });
    if (up) records.push({ op: 'up', key: keyOf(endpoint) });
  }
  for (const addr of state.last.values()) records.push({ op: 'last', addr });
  return records;
}
