/** A netlink handle in memory: what the kernel does, as far as those who use it in tests can tell. Its parity is tested. */

import { addLink, changeLink, deleteGroup, deleteLink, reportLink } from '#kernel/netlink/fake/links.ts';
import { deleteFdbEntry, deleteNeighbour, putFdbEntry, replaceNeighbour } from '#kernel/netlink/fake/neighbours.ts';
import { addAddress, addRoute, deleteAddress, deleteRoute } from '#kernel/netlink/fake/routes.ts';
import { type FakeState, findLink, needLink, newState, Refused, same } from '#kernel/netlink/fake/state.ts';
import { changeTraffic } from '#kernel/netlink/fake/traffic.ts';
import type { Hardware, KnownLink, Netlink, OpFailure } from '#kernel/netlink/handle.ts';
import { prefixFamily } from '#net/prefix.ts';
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

/** One namespace. Others that veth pairs and moves lead into are given by the number that stands for their descriptor. */
export class FakeNetlink implements Netlink {
  readonly #state: FakeState = newState();
  readonly #others: ReadonlyMap<number, FakeNetlink>;
  /** Every operation that was run, refused or not. */
  readonly log: NetlinkOp[] = [];

  constructor(others: ReadonlyMap<number, FakeNetlink> = new Map()) {
    this.#others = others;
  }

  links(): Link[] {
    return [...this.#state.links.values()].map((link) => reportLink(this.#state, link));
  }

  link(name: string): Link | undefined {
    const link = findLink(this.#state, name);
    return link && reportLink(this.#state, link);
  }

  find(name: string): LinkBrief | undefined {
    const link = this.link(name);
    if (!link) return undefined;
    const { index, mtu, up, loopback, mac, alias, info } = link;
    const kind = info.kind === 'other' ? info.name : info.kind;
    return { name, index, mtu, up, loopback, kind, ...(mac && { mac }), ...(alias && { alias }) };
  }

  indexOf(name: string): number | undefined {
    return findLink(this.#state, name)?.index;
  }

  isUp(name: string): boolean | undefined {
    return findLink(this.#state, name)?.up;
  }

  /** Whoever is up has a carrier here. */
  isRunning(name: string): boolean | undefined {
    return this.isUp(name);
  }

  hardwareOf(name: string): Hardware | undefined {
    const link = this.find(name);
    return link && { mtu: link.mtu, ...(link.mac && { mac: link.mac }) };
  }

  addresses(of?: KnownLink): Address[] {
    return this.#state.addresses.filter(({ link }) => of === undefined || link === of.name);
  }

  routes(filter: Parameters<Netlink['routes']>[0] = {}): Route[] {
    return this.#state.routes.filter(
      (route) =>
        (filter.family === undefined || prefixFamily(route.to) === filter.family) &&
        (filter.table === undefined || route.table === filter.table) &&
        (filter.protocol === undefined || route.protocol === filter.protocol),
    );
  }

  neighbours(link?: string): Neighbour[] {
    return this.#state.neighbours.filter((neighbour) => link === undefined || neighbour.link === link);
  }

  fdb(link?: string): FdbEntry[] {
    return this.#state.fdb.filter((entry) => link === undefined || entry.link === link);
  }

  rules(): Rule[] {
    return this.#state.rules.toSorted((a, b) => a.family - b.family || a.priority - b.priority);
  }

  /** It does not filter VLANs, as kernels without that option. */
  bridgeVlans(): BridgeVlan[] {
    return [];
  }

  /** Only those that were made: of the ones that interfaces begin with it tells nothing. */
  qdiscs(link?: string): Qdisc[] {
    return this.#state.qdiscs.filter((qdisc) => link === undefined || qdisc.link === link);
  }

  classes(link: string): TcClass[] {
    return this.#state.classes.filter((own) => own.link === link);
  }

  filters(link: string, parent: Filter['parent']): Filter[] {
    const there = this.#state.filters.filter((filter) => filter.link === link && filter.parent === parent);
    return there.toSorted((a, b) => a.priority - b.priority);
  }

  run(ops: readonly NetlinkOp[]): OpFailure[] {
    return ops.flatMap((op) => this.#attempt(op));
  }

  async runAsync(ops: readonly NetlinkOp[]): Promise<OpFailure[]> {
    return this.run(ops);
  }

  close(): void {}

  [Symbol.dispose](): void {}

  #attempt(op: NetlinkOp): OpFailure[] {
    this.log.push(op);
    try {
      this.#do(op);
      return [];
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { errno, code, message } = error;
      return [{ op, errno, code, ...(message === '' ? {} : { text: message }) }];
    }
  }

  #do(op: NetlinkOp): void {
    const state = this.#state;
    const namespaces = new Map([...this.#others].map(([fd, other]) => [fd, other.#state]));
    switch (op.op) {
      case 'link.add':
        addLink(state, op.link, namespaces);
        break;
      case 'link.set':
        changeLink(state, op.name, op.change, namespaces);
        break;
      case 'link.del':
        deleteLink(state, op.name);
        break;
      case 'link.delGroup':
        deleteGroup(state, op.group);
        break;
      case 'bridgeVlan.add':
      case 'bridgeVlan.del':
        needLink(state, op.vlan.link);
        throw new Refused('EOPNOTSUPP');
      case 'addr.add':
      case 'addr.replace':
        addAddress(state, op.address, op.op === 'addr.replace');
        break;
      case 'addr.del':
        deleteAddress(state, op.address);
        break;
      case 'route.add':
        addRoute(state, op.route, 'add');
        break;
      case 'route.replace':
        addRoute(state, op.route, 'replace');
        break;
      case 'route.append':
        addRoute(state, op.route, 'append');
        break;
      case 'route.del':
        deleteRoute(state, op.route);
        break;
      case 'neigh.replace':
        replaceNeighbour(state, op.neighbour);
        break;
      case 'neigh.del':
        deleteNeighbour(state, op.neighbour);
        break;
      case 'fdb.append':
        putFdbEntry(state, op.entry, 'append');
        break;
      case 'fdb.replace':
        putFdbEntry(state, op.entry, 'replace');
        break;
      case 'fdb.del':
        deleteFdbEntry(state, op.entry);
        break;
      case 'rule.add':
      case 'rule.del':
        this.#rule(op.op, op.rule);
        break;
      default:
        changeTraffic(state, op);
    }
  }

  #rule(verb: 'rule.add' | 'rule.del', rule: Rule): void {
    const place = this.#state.rules.findIndex((r) => same(r, rule));
    if (verb === 'rule.add') {
      if (place >= 0) throw new Refused('EEXIST');
      this.#state.rules.push(rule);
    } else {
      if (place < 0) throw new Refused('ENOENT');
      this.#state.rules.splice(place, 1);
    }
  }
}
