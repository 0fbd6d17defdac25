/** Operations as messages, and what interfaces they name. */

import { writeAddress } from '#wire/netlink/address.ts';
import { writeBridgeVlan } from '#wire/netlink/bridge-vlan.ts';
import * as N from '#wire/netlink/constants.ts';
import { writeFilter, writeFilterRef } from '#wire/netlink/filter.ts';
import { writeLinkByName, writeLinkChange, writeLinkGroup, writeNewLink, writePortChange } from '#wire/netlink/link.ts';
import { kindNeeds } from '#wire/netlink/link-kinds.ts';
import type { NameToIndex } from '#wire/netlink/names.ts';
import { writeFdbEntry, writeNeighbour } from '#wire/netlink/neighbour.ts';
import { writeClass, writeQdisc } from '#wire/netlink/qdisc.ts';
import { writeRoute } from '#wire/netlink/route.ts';
import { writeRule } from '#wire/netlink/rule.ts';
import type { TcOp } from '#wire/netlink/tc-values.ts';
import type { LinkChange, NetlinkOp } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const CREATE_FLAGS = {
  add: N.NLM_F_CREATE | N.NLM_F_EXCL,
  replace: N.NLM_F_CREATE | N.NLM_F_REPLACE,
  append: N.NLM_F_CREATE | N.NLM_F_APPEND,
  del: 0,
} as const;

interface Request {
  readonly type: number;
  /** Beside REQUEST. */
  readonly flags: number;
  readonly body: () => void;
}

/**
 * Writes the message or messages of an operation (not of its follow-up); `nextSeq` gives each its sequence number. None
 * asks for an acknowledgement: the kernel answers what it refuses without being asked.
 * @throws NoSuchLink if an interface that it names is missing, RangeError if it cannot be said.
 */
export function writeOp(writer: Writer, op: NetlinkOp, names: NameToIndex, nextSeq: () => number): void {
  for (const { type, flags, body } of requestsOf(writer, op, names)) {
    writer.message(type, N.NLM_F_REQUEST | flags, nextSeq(), body);
  }
}

function requestsOf(writer: Writer, op: NetlinkOp, names: NameToIndex): Request[] {
  switch (op.op) {
    case 'link.add':
      return [{ type: N.RTM_NEWLINK, flags: CREATE_FLAGS.add, body: () => writeNewLink(writer, op.link, names) }];
    case 'link.set':
      return linkSetRequests(writer, op.name, op.change, names);
    case 'link.del':
      return [{ type: N.RTM_DELLINK, flags: 0, body: () => writeLinkByName(writer, op.name) }];
    case 'link.delGroup':
      return [{ type: N.RTM_DELLINK, flags: 0, body: () => writeLinkGroup(writer, op.group) }];
    case 'bridgeVlan.add':
      return [{ type: N.RTM_SETLINK, flags: 0, body: () => writeBridgeVlan(writer, op.vlan, names) }];
    case 'bridgeVlan.del':
      return [{ type: N.RTM_DELLINK, flags: 0, body: () => writeBridgeVlan(writer, op.vlan, names) }];
    case 'addr.add':
    case 'addr.replace':
    case 'addr.del':
      return [request(op.op, N.RTM_NEWADDR, () => writeAddress(writer, op.address, names))];
    case 'route.add':
    case 'route.replace':
    case 'route.append':
    case 'route.del':
      return [request(op.op, N.RTM_NEWROUTE, () => writeRoute(writer, op.route, names))];
    case 'neigh.replace':
    case 'neigh.del':
      return [request(op.op, N.RTM_NEWNEIGH, () => writeNeighbour(writer, op.neighbour, names))];
    case 'fdb.append':
    case 'fdb.replace':
    case 'fdb.del':
      return [request(op.op, N.RTM_NEWNEIGH, () => writeFdbEntry(writer, op.entry, names))];
    case 'rule.add':
    case 'rule.del':
      return [request(op.op, N.RTM_NEWRULE, () => writeRule(writer, op.rule))];
    default:
      return [tcRequest(writer, op, names)];
  }
}

function tcRequest(writer: Writer, op: TcOp, names: NameToIndex): Request {
  if ('qdisc' in op) return request(op.op, N.RTM_NEWQDISC, () => writeQdisc(writer, op.qdisc, names));
  if ('class' in op) return request(op.op, N.RTM_NEWTCLASS, () => writeClass(writer, op.class, names));
  const body = () => (op.op === 'filter.del' ? writeFilterRef : writeFilter)(writer, op.filter, names);
  // A filter is not replaced as a route is: what has the handle is changed, and made if there is none.
  return {
    ...request(op.op, N.RTM_NEWTFILTER, body),
    ...(op.op === 'filter.replace' ? { flags: N.NLM_F_CREATE } : {}),
  };
}

/** The type that deletes is the one after the type that makes; the verb after the dot decides on the flags. */
function request(op: NetlinkOp['op'], newType: number, body: () => void): Request {
  const verb = op.slice(op.indexOf('.') + 1) as keyof typeof CREATE_FLAGS;
  return { type: verb === 'del' ? newType + 1 : newType, flags: CREATE_FLAGS[verb], body };
}

/**
 * What must be done once the operation has succeeded, and only then, to complete it. The kernel passes over an alias
 * in the message that makes an interface; sent along with it, it would go to a foreign interface of the same name.
 */
export function followUp(op: NetlinkOp): NetlinkOp | undefined {
  if (op.op !== 'link.add' || op.link.alias === undefined || op.link.netns !== undefined) return undefined;
  return { op: 'link.set', name: op.link.name, change: { alias: op.link.alias } };
}

/** True if the kernel must be told the interface by its index: its name is said of what it becomes, or not looked at. */
function byIndex(change: LinkChange): boolean {
  return change.name !== undefined || asPort(change);
}

function asPort({ hairpin, isolated, learning, unicastFlood }: LinkChange): boolean {
  return [hairpin, isolated, learning, unicastFlood].some((wish) => wish !== undefined);
}

/** What concerns a bridge's port goes last: it must have joined the bridge first. */
function linkSetRequests(writer: Writer, name: string, change: LinkChange, names: NameToIndex): Request[] {
  const { hairpin, isolated, learning, unicastFlood, ...own } = change;
  const type = N.RTM_SETLINK;
  const requests: Request[] = [];
  if (Object.keys(own).length > 0) {
    requests.push({ type, flags: 0, body: () => writeLinkChange(writer, name, own, names) });
  }
  if (asPort(change)) {
    requests.push({ type, flags: 0, body: () => writePortChange(writer, name, change, names) });
  }
  return requests;
}

/** Interfaces whose index must be known to write the operation. */
export function linksNeeded(op: NetlinkOp): readonly string[] {
  switch (op.op) {
    case 'link.add':
      return [...kindNeeds(op.link.info), ...[op.link.master, op.link.parent].filter((name) => name !== undefined)];
    case 'link.set':
      return [...(byIndex(op.change) ? [op.name] : []), ...(op.change.master ? [op.change.master] : [])];
    case 'bridgeVlan.add':
    case 'bridgeVlan.del':
      return [op.vlan.link];
    case 'addr.add':
    case 'addr.replace':
    case 'addr.del':
      return [op.address.link];
    case 'route.add':
    case 'route.replace':
    case 'route.append':
    case 'route.del':
      return op.route.hops.flatMap((hop) => hop.link ?? []);
    case 'neigh.replace':
    case 'neigh.del':
      return [op.neighbour.link];
    case 'fdb.append':
    case 'fdb.replace':
    case 'fdb.del':
      return [op.entry.link];
    case 'link.del':
    case 'link.delGroup':
    case 'rule.add':
    case 'rule.del':
      return [];
    default:
      return tcLinks(op);
  }
}

function tcLinks(op: TcOp): readonly string[] {
  if ('qdisc' in op) return [op.qdisc.link];
  if ('class' in op) return [op.class.link];
  const { link, action } = op.filter;
  return action?.kind === 'redirect' && op.op !== 'filter.del' ? [link, action.to] : [link];
}

/** Names that stand for another interface, or for none, once the operation is done; `'all'` if any may. */
export function linksRenamed(op: NetlinkOp): readonly string[] | 'all' {
  switch (op.op) {
    case 'link.add':
      if (op.link.netns !== undefined) return [];
      return op.link.peer && op.link.peer.netns === undefined ? [op.link.name, op.link.peer.name] : [op.link.name];
    case 'link.set':
      return op.change.name !== undefined ? [op.name, op.change.name] : op.change.netns !== undefined ? [op.name] : [];
    case 'link.del':
      return [op.name];
    case 'link.delGroup':
      return 'all';
    default:
      return [];
  }
}
