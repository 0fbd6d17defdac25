/** Operations as the lines of iproute2 that do the same: what logs, dry runs and errors show. Source: ip-link(8), ip-route(8), bridge(8) …. */

import { lengthOf, type Prefix, prefixFamily } from '#net/prefix.ts';
import { kindName, printKind } from '#wire/netlink/link-kinds.ts';
import { printTcOp } from '#wire/netlink/print-tc.ts';
import type {
  Address,
  BridgeVlan,
  FdbEntry,
  LinkChange,
  Neighbour,
  NetlinkOp,
  NewLink,
  NextHop,
  Route,
  Rule,
} from '#wire/netlink/values.ts';
import {
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
  PROTO_BOOT,
  TABLE_MAIN,
} from '#wire/netlink/values.ts';

type Word = string | number;
/** A keyword and its argument; nothing if there is no argument. */
const arg = (keyword: string, value: Word | undefined): Word[] => (value === undefined ? [] : [keyword, value]);
const flag = (keyword: string, on: boolean | undefined): Word[] => (on ? [keyword] : []);

/**
 * The line of `ip`, `bridge` or `tc` that does what the operation does; two joined by `&&` where iproute2 needs two.
 * A namespace by descriptor prints as a path below /proc/self/fd.
 */
export function printOp(op: NetlinkOp): string {
  switch (op.op) {
    case 'link.add':
      return printNewLink(op.link);
    case 'link.set':
      return printLinkSet(op.name, op.change);
    case 'link.del':
      return line('ip link del dev', [op.name]);
    case 'link.delGroup':
      return line('ip link del group', [op.group]);
    case 'bridgeVlan.add':
    case 'bridgeVlan.del':
      return line(`bridge vlan ${verb(op.op)}`, bridgeVlanWords(op.vlan));
    case 'addr.add':
    case 'addr.replace':
    case 'addr.del':
      return line(`ip addr ${verb(op.op)}`, addressWords(op.address));
    case 'route.add':
    case 'route.replace':
    case 'route.append':
    case 'route.del':
      return line(`${ip(op.route.to)} route ${verb(op.op)}`, routeWords(op.route));
    case 'neigh.replace':
    case 'neigh.del':
      return line(`ip neigh ${verb(op.op)}`, neighbourWords(op.neighbour));
    case 'fdb.append':
    case 'fdb.replace':
    case 'fdb.del':
      return line(`bridge fdb ${verb(op.op)}`, fdbWords(op.entry));
    case 'rule.add':
    case 'rule.del':
      return line(`${op.rule.family === 6 ? 'ip -6' : 'ip'} rule ${verb(op.op)}`, ruleWords(op.rule));
    default:
      return printTcOp(op);
  }
}

function line(command: string, words: readonly Word[]): string {
  return [command, ...words].join(' ');
}

function verb(op: NetlinkOp['op']): string {
  return op.slice(op.indexOf('.') + 1);
}

function ip(prefix: Prefix): string {
  return prefixFamily(prefix) === 6 ? 'ip -6' : 'ip';
}

function netnsPath(fd: number | undefined): string | undefined {
  return fd === undefined ? undefined : `/proc/self/fd/${fd}`;
}

function upOrDown(up: boolean | undefined): Word[] {
  return up === undefined ? [] : [up ? 'up' : 'down'];
}

/** A word as a shell takes it. */
function quoted(text: string | undefined): string | undefined {
  return text === undefined || /^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function printNewLink(link: NewLink): string {
  const words = [
    ...arg('link', link.parent),
    ...['name', link.name],
    ...commonWords(link),
    ...arg('txqueuelen', link.txQueueLen),
    ...queueWords(link.queues),
    ...arg('master', link.master),
    ...upOrDown(link.up),
    ...arg('netns', netnsPath(link.netns)),
    ...['type', kindName(link.info)],
    ...printKind(link.info),
    ...(link.peer ? ['peer', 'name', link.peer.name, ...commonWords(link.peer), ...queueWords(link.queues)] : []),
    ...(link.peer ? arg('netns', netnsPath(link.peer.netns)) : []),
  ];
  const made = line('ip link add', words);
  return link.alias === undefined
    ? made
    : `${made} && ${line('ip link set dev', [link.name, ...arg('alias', quoted(link.alias))])}`;
}

function queueWords(queues: number | undefined): Word[] {
  return [...arg('numtxqueues', queues), ...arg('numrxqueues', queues)];
}

function commonWords(link: Pick<NewLink, 'mac' | 'mtu' | 'group'>): Word[] {
  return [...arg('address', link.mac), ...arg('mtu', link.mtu), ...arg('group', link.group)];
}

function printLinkSet(name: string, change: LinkChange): string {
  const own = [
    ...arg('name', change.name),
    ...commonWords(change),
    ...arg('txqueuelen', change.txQueueLen),
    ...upOrDown(change.up),
    ...onOrOff('promisc', change.promisc),
    ...onOrOff('allmulticast', change.allmulti),
    ...onOrOff('arp', change.arp),
    ...arg('addrgenmode', change.addrGenMode),
    ...(change.master === '' ? ['nomaster'] : arg('master', change.master)),
    ...arg('alias', quoted(change.alias)),
    ...arg('netns', netnsPath(change.netns)),
  ];
  const port = [
    ...onOrOff('hairpin', change.hairpin),
    ...onOrOff('isolated', change.isolated),
    ...onOrOff('learning', change.learning),
    ...onOrOff('flood', change.unicastFlood),
  ];
  const lines = [
    ...(change.arpNotify === undefined
      ? []
      : [`sysctl -w net/ipv4/conf/${name}/arp_notify=${Number(change.arpNotify)}`]),
    ...(own.length > 0 ? [line('ip link set dev', [name, ...own])] : []),
    ...(port.length > 0 ? [line('bridge link set dev', [change.name ?? name, ...port])] : []),
  ];
  return lines.join(' && ') || line('ip link set dev', [name]);
}

function onOrOff(keyword: string, value: boolean | undefined): Word[] {
  return arg(keyword, value === undefined ? undefined : value ? 'on' : 'off');
}

function bridgeVlanWords({ link, vid, end, pvid, untagged, self }: BridgeVlan): Word[] {
  return [
    ...['dev', link, 'vid', end === undefined ? vid : `${vid}-${end}`],
    ...flag('pvid', pvid),
    ...flag('untagged', untagged),
    ...flag('self', self),
  ];
}

function addressWords(address: Address): Word[] {
  const flags = address.flags ?? 0;
  return [
    address.address,
    ...arg('broadcast', address.broadcast),
    ...(address.scope === 'global' ? [] : ['scope', address.scope]),
    ...['dev', address.link],
    ...flag('nodad', (flags & IFA_F_NODAD) !== 0),
    ...flag('noprefixroute', (flags & IFA_F_NOPREFIXROUTE) !== 0),
  ];
}

function routeWords(route: Route): Word[] {
  const [only, ...more] = route.hops;
  return [
    ...(route.type === 'unicast' ? [] : [route.type]),
    lengthOf(route.to) === 0 ? 'default' : route.to,
    ...(only && more.length === 0 ? hopWords(only) : []),
    ...(route.protocol === PROTO_BOOT ? [] : ['proto', route.protocol]),
    // Without the word iproute2 guesses; IPv6 has no scopes.
    ...(prefixFamily(route.to) === 4 ? ['scope', route.scope] : []),
    ...arg('src', route.source),
    ...arg('metric', route.metric),
    ...(route.table === TABLE_MAIN ? [] : ['table', route.table]),
    ...arg('mtu', route.mtu),
    ...arg('advmss', route.advmss),
    ...(more.length > 0
      ? route.hops.flatMap((hop) => ['nexthop', ...hopWords(hop), ...arg('weight', hop.weight)])
      : []),
  ];
}

function hopWords(hop: NextHop): Word[] {
  const family = hop.via?.includes(':') ? ['inet6'] : [];
  return [
    ...(hop.via === undefined ? [] : ['via', ...family, hop.via]),
    ...arg('dev', hop.link),
    ...flag('onlink', hop.onlink),
  ];
}

const STATE_WORDS = new Map<number, string>([
  [NUD_PERMANENT, 'permanent'],
  [NUD_REACHABLE, 'reachable'],
  [NUD_STALE, 'stale'],
  [NUD_NOARP, 'noarp'],
]);

function neighbourWords(neighbour: Neighbour): Word[] {
  return [
    neighbour.addr,
    ...arg('lladdr', neighbour.mac),
    ...['dev', neighbour.link],
    ...arg('nud', STATE_WORDS.get(neighbour.state) ?? neighbour.state),
  ];
}

const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;

function fdbWords(entry: FdbEntry): Word[] {
  return [
    entry.mac,
    ...['dev', entry.link],
    ...arg('dst', entry.dst),
    ...flag('self', (entry.flags & NTF_SELF) !== 0),
    ...flag('master', (entry.flags & NTF_MASTER) !== 0),
    entry.state & NUD_PERMANENT ? 'permanent' : entry.state & NUD_NOARP ? 'static' : 'dynamic',
  ];
}

function ruleWords(rule: Rule): Word[] {
  const mark = rule.mark && `0x${rule.mark.value.toString(16)}/0x${rule.mark.mask.toString(16)}`;
  return [
    ...['pref', rule.priority, ...flag('not', rule.invert), 'from', rule.from ?? 'all'],
    ...arg('to', rule.to),
    ...arg('fwmark', mark),
    ...arg('iif', rule.inLink),
    ...arg('oif', rule.outLink),
    ...arg('protocol', rule.protocol),
    ...['lookup', rule.table],
  ];
}
