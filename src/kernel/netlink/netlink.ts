/** The kernel's netlink handle. */

import { Connection } from '#kernel/netlink/connection.ts';
import { dump } from '#kernel/netlink/dump.ts';
import type { Hardware, KnownLink, Netlink, OpFailure } from '#kernel/netlink/handle.ts';
import { getLink, LinkTable, readLinks, readOneLink } from '#kernel/netlink/link-table.ts';
import { Runner } from '#kernel/netlink/run.ts';
import { readInterfaceAddress, writeAddressDump } from '#wire/netlink/address.ts';
import { readBridgeVlans, writeBridgeVlanDump } from '#wire/netlink/bridge-vlan.ts';
import * as N from '#wire/netlink/constants.ts';
import { readFilter, writeFilterDump } from '#wire/netlink/filter.ts';
import { readLinkBrief } from '#wire/netlink/link.ts';
import { readFdbEntry, readNeighbour, writeFdbDump, writeNeighbourDump } from '#wire/netlink/neighbour.ts';
import { readClass, readQdisc, writeTcDump } from '#wire/netlink/qdisc.ts';
import { readRoute, writeRouteDump } from '#wire/netlink/route.ts';
import { readRule, writeRuleDump } from '#wire/netlink/rule.ts';
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
import type { Writer } from '#wire/netlink/writer.ts';

/**
 * Opens a handle on the network namespace of the descriptor, else on the thread's own. The descriptor may be
 * closed afterwards. @throws SystemError
 */
export function openNetlink(netnsFd?: number): Netlink {
  return new KernelNetlink(new Connection(netnsFd));
}

/** The same, for a few operations: made and closed in less time. @throws SystemError */
export function openBriefNetlink(netnsFd: number): Netlink {
  return new KernelNetlink(Connection.brief(netnsFd));
}

type RouteFilter = NonNullable<Parameters<Netlink['routes']>[0]>;

function hasPlace(qdiscs: readonly Qdisc[], parent: Filter['parent']): boolean {
  return qdiscs.some(({ info, handle }) => {
    if (parent === 'ingress') return info.kind === 'ingress' || info.kind === 'clsact';
    return parent === 'egress' ? info.kind === 'clsact' : handle !== undefined && handle >>> 16 === parent >>> 16;
  });
}

class KernelNetlink implements Netlink {
  readonly #connection: Connection;
  /** Slow requests have a socket of their own, so that answers do not mix; made when first wanted. */
  #slow: Connection | undefined;
  /** The end of the queue of slow requests. */
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  links(): Link[] {
    return readLinks(this.#connection);
  }

  link(name: string): Link | undefined {
    return readOneLink(this.#connection, name);
  }

  find(name: string): LinkBrief | undefined {
    return getLink(this.#connection, name, readLinkBrief);
  }

  indexOf(name: string): number | undefined {
    return this.#connection.indexOf(name);
  }

  isUp(name: string): boolean | undefined {
    return this.#connection.isUp(name);
  }

  isRunning(name: string): boolean | undefined {
    return this.#connection.isRunning(name);
  }

  hardwareOf(name: string): Hardware | undefined {
    return this.#connection.hardwareOf(name);
  }

  addresses(of?: KnownLink): Address[] {
    const names = of ? new LinkTable([of]) : this.#names();
    return dump(this.#connection, {
      type: N.RTM_GETADDR,
      what: 'the addresses',
      body: (writer) => writeAddressDump(writer, of?.index),
      // Of an interface that has no name in the table it reads nothing.
      read: (message) => readInterfaceAddress(message, names),
      sifted: true,
    });
  }

  routes(filter: RouteFilter = {}): Route[] {
    const names = this.#names();
    const families = filter.family === undefined ? ([4, 6] as const) : [filter.family];
    const routes = families.flatMap((family) =>
      dump(this.#connection, {
        type: N.RTM_GETROUTE,
        what: `the IPv${family} routes`,
        body: (writer) => writeRouteDump(writer, { ...filter, family }),
        // A kernel without IPv6 answers with what it has.
        read: (message) =>
          message.view.getUint8(message.start) === (family === 4 ? N.AF_INET : N.AF_INET6)
            ? readRoute(message, names)
            : undefined,
      }),
    );
    return routes.filter(
      (route) =>
        (filter.table === undefined || route.table === filter.table) &&
        (filter.protocol === undefined || route.protocol === filter.protocol),
    );
  }

  neighbours(link?: string): Neighbour[] {
    return this.#ofLink(link, 'the neighbours', writeNeighbourDump, readNeighbour);
  }

  fdb(link?: string): FdbEntry[] {
    return this.#ofLink(link, 'the forwarding entries', writeFdbDump, readFdbEntry);
  }

  rules(): Rule[] {
    return dump(this.#connection, { type: N.RTM_GETRULE, what: 'the rules', body: writeRuleDump, read: readRule });
  }

  bridgeVlans(link?: string): BridgeVlan[] {
    const names = this.#names();
    const found = dump(this.#connection, {
      type: N.RTM_GETLINK,
      what: 'the VLANs of bridges',
      body: writeBridgeVlanDump,
      read: (message) => readBridgeVlans(message, names),
    });
    return found.flat().filter((vlan) => link === undefined || vlan.link === link);
  }

  qdiscs(link?: string): Qdisc[] {
    const names = this.#names();
    const all = dump(this.#connection, {
      type: N.RTM_GETQDISC,
      what: 'the qdiscs',
      body: (writer) => writeTcDump(writer),
      read: (message) => readQdisc(message, names),
    });
    return all.filter((qdisc) => link === undefined || qdisc.link === link);
  }

  classes(link: string): TcClass[] {
    const names = this.#names();
    const index = names.indexOf(link);
    if (index === undefined) return [];
    return dump(this.#connection, {
      type: N.RTM_GETTCLASS,
      what: 'the classes',
      body: (writer) => writeTcDump(writer, index),
      read: (message) => readClass(message, names),
    });
  }

  filters(link: string, parent: Filter['parent']): Filter[] {
    const names = this.#names();
    const index = names.indexOf(link);
    // The kernel refuses to list the filters of a place that no qdisc makes.
    const qdiscs = this.qdiscs(link);
    if (index === undefined || !hasPlace(qdiscs, parent)) return [];
    return dump(this.#connection, {
      type: N.RTM_GETTFILTER,
      what: 'the filters',
      body: (writer) => writeFilterDump(writer, index, parent),
      read: (message) => readFilter(message, names),
    });
  }

  run(ops: readonly NetlinkOp[], known: readonly KnownLink[] = []): OpFailure[] {
    const runner = new Runner(this.#connection, ops, known);
    const steps = runner.steps();
    let step = steps.next();
    while (!step.done) step = steps.next(this.#connection.exchange(step.value, runner.onMessage));
    return step.value;
  }

  runAsync(ops: readonly NetlinkOp[]): Promise<OpFailure[]> {
    const result = this.#queue.then(() => this.#runSlow(ops));
    this.#queue = result.catch(() => {});
    return result;
  }

  async #runSlow(ops: readonly NetlinkOp[]): Promise<OpFailure[]> {
    if (this.#closed) throw new Error('Cannot use the netlink handle: it is closed');
    this.#slow ??= this.#connection.again();
    const runner = new Runner(this.#slow, ops);
    const steps = runner.steps();
    let step = steps.next();
    while (!step.done) step = steps.next(await this.#slow.exchangeAsync(step.value, runner.onMessage));
    return step.value;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
    // Not under the feet of a thread that sends on it.
    this.#queue = this.#queue.then(() => this.#slow?.close());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #names(): LinkTable {
    return LinkTable.read(this.#connection);
  }

  #ofLink<T>(
    link: string | undefined,
    what: string,
    write: (writer: Writer, index?: number) => void,
    read: (message: Parameters<typeof readNeighbour>[0], names: LinkTable) => T | undefined,
  ): T[] {
    const names = this.#names();
    const index = link === undefined ? undefined : names.indexOf(link);
    if (link !== undefined && index === undefined) return [];
    return dump(this.#connection, {
      type: N.RTM_GETNEIGH,
      what,
      body: (writer) => write(writer, index),
      read: (message) => read(message, names),
    });
  }
}
