/**
 * The network that the nodes stand in: a namespace with a bridge for each subnet and a router between them, and a
 * namespace for each node, wired to its bridge. Nothing of it touches the machine's own namespace: the veth pairs are
 * made between the two namespaces directly. Making what is there already changes nothing, so this also mends.
 */

import type { Netlink, OpFailure } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { createNetns, deleteNetns } from '#kernel/netns/named.ts';
import { listNetns, type Netns, openNetns } from '#kernel/netns/netns.ts';
import { writeSysctl } from '#kernel/sysctl.ts';
import { nodeNetns, underlayNetns } from '#lab/names.ts';
import { familiesOf, gateway6Of, gatewayOf, type LabSpec, type NodeSpec, nodeAddr6 } from '#lab/spec.ts';
import { type Addr, addrBytes, familyOf } from '#net/addr.ts';
import { type Mac, macFromBytes } from '#net/mac.ts';
import { type IfAddr, ifAddr, parsePrefix, prefixFamily } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { printOp } from '#wire/netlink/print.ts';
import { IFA_F_NODAD, type NetlinkOp, PROTO_BOOT, TABLE_MAIN } from '#wire/netlink/values.ts';

const ANYWHERE = parsePrefix('0.0.0.0/0');
const ANYWHERE6 = parsePrefix('::/0');

/** Name of the bridge of subnet 1 or 2 in the underlay's namespace. */
export function bridgeOf(subnet: number): string {
  return `br${subnet}`;
}

/** Names of interfaces hold 15 bytes, so a node's end in the underlay is named by its address: unique and short. */
export function portOf(node: NodeSpec): string {
  const [, , subnet, host] = addrBytes(node.addr);
  return `n${subnet}-${host}`;
}

/** Hardware address of a node's eth0: the same each time it is made, so that its neighbours need not learn it anew. */
export function macOf(node: NodeSpec): Mac {
  return macFromBytes(Uint8Array.from([0x02, 0x50, ...addrBytes(node.addr)]));
}

/** Makes the underlay's namespace with its bridges; mends it if it is there. The caller closes what is returned. */
export function ensureUnderlay(spec: LabSpec): Netns {
  const netns = ensureNetns(underlayNetns(spec.name));
  writeSysctl('net.ipv4.ip_forward', '1', netns);
  const six = familiesOf(spec).includes(6);
  if (six) writeSysctl('net.ipv6.conf.all.forwarding', '1', netns);
  using netlink = openNetlink(netns.fd);
  for (let subnet = 1; subnet <= spec.subnets; subnet++) ensureBridge(netlink, subnet, spec.mtu, six);
  return netns;
}

/** Makes a node's namespace, wired to the underlay; mends it if it is there. The caller closes what is returned. */
export function ensureNode(spec: LabSpec, node: NodeSpec, underlay: Netns): Netns {
  const netns = ensureNetns(nodeNetns(spec.name, node.name));
  using inside = openNetlink(netns.fd);
  if (inside.link('eth0') === undefined) connect(spec, node, underlay, netns);
  must(inside, nodeOps(spec, node));
  return netns;
}

/** Takes a node's namespace away, and with it its interfaces. True if there was one. */
export function removeNodeNetns(lab: string, node: string): boolean {
  return deleteNetns(nodeNetns(lab, node));
}

/** Names of all namespaces of a lab, whatever it consists of by now. */
export function labNetns(lab: string): string[] {
  return listNetns().filter((name) => name.startsWith(`${lab}.`));
}

/** Makes a namespace, or finds it. The caller closes what is returned. */
export function ensureNetns(name: string): Netns {
  const found = openExisting(name);
  if (found !== undefined) return found;
  deleteNetns(name); // what a creation that was interrupted has left
  const netns = createNetns(name);
  using netlink = openNetlink(netns.fd);
  must(netlink, [{ op: 'link.set', name: 'lo', change: { up: true } }]);
  return netns;
}

function openExisting(name: string): Netns | undefined {
  if (!listNetns().includes(name)) return undefined;
  const netns = openNetns({ name });
  if (isNetns(netns)) return netns;
  netns.close();
  return undefined;
}

function ensureBridge(netlink: Netlink, subnet: number, mtu: number, six: boolean): void {
  const name = bridgeOf(subnet);
  const ops: NetlinkOp[] = [];
  if (netlink.link(name) === undefined) ops.push({ op: 'link.add', link: { name, info: { kind: 'bridge' }, mtu } });
  ops.push({ op: 'link.set', name, change: { up: true } }, addrReplace(name, ifAddr(gatewayOf(subnet), 24)));
  if (six) ops.push(addrReplace(name, ifAddr(gateway6Of(subnet), 64)));
  must(netlink, ops);
}

/** The veth pair from the underlay's bridge to the node's eth0, both ends made where they belong. */
function connect(spec: LabSpec, node: NodeSpec, underlay: Netns, netns: Netns): void {
  using outside = openNetlink(underlay.fd);
  const name = portOf(node);
  // A port without its other end belonged to a node that is gone; its namespace may take a moment to go.
  if (outside.link(name) !== undefined) must(outside, [{ op: 'link.del', name }]);
  const peer = { name: 'eth0', mac: macOf(node), mtu: spec.mtu, netns: netns.fd };
  must(outside, [
    {
      op: 'link.add',
      link: { name, info: { kind: 'veth' }, mtu: spec.mtu, up: true, master: bridgeOf(node.subnet), peer },
    },
  ]);
}

function nodeOps(spec: LabSpec, node: NodeSpec): NetlinkOp[] {
  const six = familiesOf(spec).includes(6);
  return [
    { op: 'link.set', name: 'lo', change: { up: true } },
    { op: 'link.set', name: 'eth0', change: { up: true, mtu: spec.mtu } },
    addrReplace('eth0', ifAddr(node.addr, 24)),
    defaultVia(gatewayOf(node.subnet)),
    ...(six ? [addrReplace('eth0', ifAddr(nodeAddr6(node), 64)), defaultVia(gateway6Of(node.subnet))] : []),
  ];
}

/** The default route of the gateway's family, by eth0. */
export function defaultVia(via: Addr): NetlinkOp {
  const to = familyOf(via) === 4 ? ANYWHERE : ANYWHERE6;
  const hops = [{ via, link: 'eth0' }];
  const route = { to, type: 'unicast', table: TABLE_MAIN, protocol: PROTO_BOOT, scope: 'global', hops } as const;
  return { op: 'route.replace', route };
}

/** Nobody else has it: there is nothing to wait for. */
export function addrReplace(link: string, address: IfAddr): NetlinkOp {
  const flags = prefixFamily(address) === 6 ? { flags: IFA_F_NODAD } : {};
  return { op: 'addr.replace', address: { link, address, scope: 'global', ...flags } };
}

/** Runs the operations. @throws PolderError 'kernel-refused' with the first that failed. */
export function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure !== undefined) throw refused(failure);
}

function refused(failure: OpFailure): PolderError {
  const reason = failure.text === undefined ? failure.code : `${failure.code}, ${failure.text}`;
  return new PolderError('kernel-refused', { command: printOp(failure.op), reason });
}

/** Whether the namespace's file is one: a creation that was interrupted leaves an empty file of the name. */
function isNetns(netns: Netns): boolean {
  try {
    using netlink = openNetlink(netns.fd);
    return netlink.link('lo') !== undefined;
  } catch {
    return false;
  }
}
