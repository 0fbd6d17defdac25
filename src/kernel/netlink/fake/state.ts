/** What the fake remembers of one network namespace, and how it refuses. */

import { constants } from 'node:os';
import type { Filter, Qdisc, TcClass } from '#wire/netlink/tc-values.ts';
import type { Address, FdbEntry, Link, Neighbour, Route, Rule } from '#wire/netlink/values.ts';

export type Errno =
  | 'EEXIST'
  | 'ENOENT'
  | 'ENODEV'
  | 'ESRCH'
  | 'EINVAL'
  | 'EADDRNOTAVAIL'
  | 'ENETUNREACH'
  | 'ENETDOWN'
  | 'EOPNOTSUPP'
  | 'EBADF';

/** An operation that the kernel would refuse. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: Errno;

  constructor(code: Errno, text = '') {
    super(text);
    this.code = code;
  }

  get errno(): number {
    return constants.errno[this.code];
  }
}

/** A link whose carrier is worked out when it is read. */
export interface FakeLink extends Omit<Link, 'lowerUp' | 'parent' | 'peerNetnsId'> {
  /** The other end of a veth pair. */
  peer?: { readonly state: FakeState; readonly index: number };
  /** What it stands on (macvlan, ipvlan, vlan). */
  lower?: { readonly state: FakeState; readonly index: number };
  /** A bridge whose MTU nobody set: it follows the smallest of its ports. */
  readonly autoMtu?: boolean;
  /** The kernel's own tunl0, which nobody can delete. */
  readonly fallback?: boolean;
}

export interface FakeState {
  /** By index, in the order in which they were made. */
  readonly links: Map<number, FakeLink>;
  addresses: Address[];
  routes: Route[];
  neighbours: Neighbour[];
  fdb: FdbEntry[];
  rules: Rule[];
  qdiscs: Qdisc[];
  classes: TcClass[];
  filters: Filter[];
  nextIndex: number;
}

export function newState(): FakeState {
  const lo: FakeLink = {
    index: 1,
    name: 'lo',
    mtu: 65536,
    up: false,
    loopback: true,
    group: 0,
    txQueueLen: 1000,
    addrGenMode: 'eui64',
    info: { kind: 'other', name: '' },
  };
  return {
    links: new Map([[1, lo]]),
    addresses: [],
    routes: [],
    neighbours: [],
    fdb: [],
    rules: [...RULES],
    qdiscs: [],
    classes: [],
    filters: [],
    nextIndex: 2,
  };
}

/** What every namespace begins with. */
const RULES: readonly Rule[] = [
  { family: 4, priority: 0, table: 255, protocol: 2 },
  { family: 4, priority: 32766, table: 254, protocol: 2 },
  { family: 4, priority: 32767, table: 253, protocol: 2 },
  { family: 6, priority: 0, table: 255, protocol: 2 },
  { family: 6, priority: 32766, table: 254, protocol: 2 },
];

export function findLink(state: FakeState, name: string): FakeLink | undefined {
  for (const link of state.links.values()) if (link.name === name) return link;
  return undefined;
}

/** @throws Refused ENODEV */
export function needLink(state: FakeState, name: string): FakeLink {
  const link = findLink(state, name);
  if (!link) throw new Refused('ENODEV', `no interface "${name}"`);
  return link;
}

/** Equal values of plain data, whatever the order of their keys. */
export function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
      : inner,
  );
}
