/** What a netlink handle can do; the kernel's and the fake's both are one. */

import type { Family } from '#net/addr.ts';
import type { TableEvent } from '#wire/netlink/event.ts';
import type { Filter, Qdisc, TcClass } from '#wire/netlink/tc-values.ts';
import type {
  Address,
  BridgeVlan,
  FdbEntry,
  Link,
  LinkBrief,
  Neighbour,
  NetlinkOp,
  Route,
  Rule,
} from '#wire/netlink/values.ts';

/** Why one operation of a batch failed. `errno` is positive, `text` is the kernel's extended acknowledgement if it gave one. */
export interface OpFailure {
  readonly op: NetlinkOp;
  readonly errno: number;
  /** Symbolic name: 'EEXIST'. */
  readonly code: string;
  readonly text?: string;
}

/** An interface as it was read a moment ago. */
export type KnownLink = Pick<Link, 'name' | 'index'>;

export type Hardware = Pick<LinkBrief, 'mac' | 'mtu'>;

/**
 * A handle on one network namespace. All calls are synchronous system calls of microseconds, so within one turn of
 * the event loop nothing else of this process comes between reading and writing.
 */
export interface Netlink extends Disposable {
  links(): Link[];
  /** Undefined if there is none of this name. */
  link(name: string): Link | undefined;
  /** As `link`, in a fraction of the time. */
  find(name: string): LinkBrief | undefined;
  /** Its index, for `run`. To be asked of an interface that is there: for another the kernel may look for a module first. */
  indexOf(name: string): number | undefined;
  /** As `indexOf`. */
  isUp(name: string): boolean | undefined;
  /** Up with a carrier, as far as the kernel has noticed (a port of a bridge forwards from then on). As `indexOf`. */
  isRunning(name: string): boolean | undefined;
  /** What a plugin tells of an interface that it made or joined. As `indexOf`. */
  hardwareOf(name: string): Hardware | undefined;
  /** Of all interfaces unless one is given. */
  addresses(of?: KnownLink): Address[];
  /** All tables unless one is named. */
  routes(filter?: { readonly family?: Family; readonly table?: number; readonly protocol?: number }): Route[];
  neighbours(link?: string): Neighbour[];
  fdb(link?: string): FdbEntry[];
  rules(): Rule[];
  /** VLANs of bridges and their ports; none where the kernel does not filter VLANs. */
  bridgeVlans(link?: string): BridgeVlan[];
  /** Of all interfaces unless one is named. */
  qdiscs(link?: string): Qdisc[];
  /** Classes of htb. */
  classes(link: string): TcClass[];
  /** In the kernel's order: by priority. */
  filters(link: string, parent: Filter['parent']): Filter[];
  /**
   * Runs the operations in order, batched; goes on past a failure and returns every one. Empty: all done.
   * @param known saves looking up those that the operations name
   */
  run(ops: readonly NetlinkOp[], known?: readonly KnownLink[]): OpFailure[];
  /** As `run`, but waits for slow acknowledgements (a link's deletion) off the event loop. */
  runAsync(ops: readonly NetlinkOp[]): Promise<OpFailure[]>;
  close(): void;
}

/** What changed, as multicast notifications tell it. 'overrun' means some were lost: list again. */
export type NetlinkEvent = TableEvent | { readonly event: 'overrun' };
