/** What is kept of a lease beyond the call that got it: enough to renew it, to give it back, and to find its pod again. */

import { createHash } from 'node:crypto';
import type { DhcpIdentity } from '#cni/dhcp/client.ts';
import { bootTimeOf } from '#cni/dhcp/clock.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { isObject, type JsonObject, optArray, optString, optUint, wrong } from '#wire/cni/json.ts';
import type { Lease } from '#wire/dhcp/lease.ts';
import type { DhcpRoute } from '#wire/dhcp/options.ts';

/** What an attachment is known by. */
export interface LeaseKey {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

export interface LeaseRecord extends LeaseKey {
  /** Path of the pod's network namespace, as this process could open it at ADD. */
  readonly netns: string;
  /** Number of the namespace: another that has come by the same path is not the pod's. */
  readonly inode: number;
  readonly who: DhcpIdentity;
  readonly broadcast: boolean;
  /** Metric of the lease's routes. */
  readonly priority?: number;
  readonly lease: Lease;
  /** When it was asked for, by `bootNow`: from then on its times count. */
  readonly asked: number;
  /** It ran out or was refused: its address is not to be used, and another is being asked for. */
  readonly lost: boolean;
}

/** Name of the record's file. */
export function fileOf({ network, containerId, ifname }: LeaseKey): string {
  return `${createHash('sha256').update(`${network}/${containerId}/${ifname}`).digest('hex').slice(0, 32)}.json`;
}

export function formatRecord(record: LeaseRecord): string {
  const { clientId, provide, request } = record.who;
  const who = { clientId: hex(clientId), provide: [...provide].map(([code, value]) => [code, hex(value)]), request };
  return `${JSON.stringify({ ...record, who })}\n`;
}

/** @throws PolderError cni-config, SyntaxError: it is none that was written by us. */
export function parseRecord(text: string): LeaseRecord {
  const o = asObject(JSON.parse(text), 'lease');
  const who = asObject(o.who, 'who');
  const priority = optUint(o, 'priority', '');
  return {
    network: need(o, 'network'),
    containerId: need(o, 'containerId'),
    ifname: need(o, 'ifname'),
    netns: need(o, 'netns'),
    inode: number(o, 'inode'),
    who: {
      clientId: unhex(need(who, 'clientId')),
      provide: new Map((optArray(who, 'provide', 'who.') ?? []).map(readPair)),
      request: (optArray(who, 'request', 'who.') ?? []).map(Number),
    },
    broadcast: o.broadcast === true,
    ...(priority !== undefined && { priority }),
    lease: readStoredLease(asObject(o.lease, 'lease')),
    // The former version wrote a moment of the wall clock; its next renewal writes this one.
    asked: o.asked === undefined ? bootTimeOf(number(o, 'since')) : number(o, 'asked'),
    lost: o.lost === true,
  };
}

function readStoredLease(o: JsonObject): Lease {
  const gateway = optString(o, 'gateway', 'lease.');
  const domain = optString(o, 'domain', 'lease.');
  const addrs = (key: string): Addr[] => (optArray(o, key, 'lease.') ?? []).map((text) => parseAddr(String(text)));
  return {
    address: parseIfAddr(need(o, 'address')),
    server: parseAddr(need(o, 'server')),
    ...(gateway !== undefined && { gateway: parseAddr(gateway) }),
    routes: (optArray(o, 'routes', 'lease.') ?? []).map(readStoredRoute),
    nameservers: addrs('nameservers'),
    ...(domain !== undefined && { domain }),
    search: (optArray(o, 'search', 'lease.') ?? []).map(String),
    times: o.times === undefined ? undefined : readTimes(asObject(o.times, 'lease.times')),
  };
}

function readTimes(o: JsonObject): NonNullable<Lease['times']> {
  return { renew: number(o, 'renew'), rebind: number(o, 'rebind'), seconds: number(o, 'seconds') };
}

function readStoredRoute(value: unknown): DhcpRoute {
  const o = asObject(value, 'lease.routes');
  const via = optString(o, 'via', 'lease.routes.');
  return { dst: parsePrefix(need(o, 'dst')), ...(via !== undefined && { via: parseAddr(via) }) };
}

function readPair(value: unknown): [number, Uint8Array] {
  const [code, text]: unknown[] = Array.isArray(value) ? value : [];
  return [Number(code), unhex(String(text))];
}

function asObject(value: unknown, path: string): JsonObject {
  return isObject(value) ? value : wrong(path, 'must be an object', value);
}

function need(o: JsonObject, key: string): string {
  return optString(o, key, '') ?? wrong(key, 'must be a string', undefined);
}

function number(o: JsonObject, key: string): number {
  const value = o[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : wrong(key, 'must be a number', value);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}
