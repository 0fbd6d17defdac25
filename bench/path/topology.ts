/** Two nodes with two pods each, in namespaces of their own, programmed by Polder's own calc, plan and sync. */

import { calcNodeState } from '#calc/routes/node-state.ts';
import type { NodeState } from '#calc/state.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { openWireguard } from '#kernel/wireguard/wireguard.ts';
import { type Addr, addrPlus, parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { addrOf, hostPrefix, ifAddr, parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { want } from '#plan/want.ts';
import { DEFAULT_BGP } from '#spec/bgp.ts';
import {
  type ClusterConfig,
  defaultPools,
  deriveSynced,
  type Profile,
  type Snapshot,
  type Synced,
} from '#spec/cluster.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { DEFAULT_FELIX } from '#spec/felix.ts';
import { FastPathDriver } from '#sync/fast-path.ts';
import { kernelSysctls } from '#sync/kernel.ts';
import { isClean } from '#sync/loop.ts';
import { runPass } from '#sync/pass.ts';
import { readUnderlay } from '#sync/underlay.ts';
import { type NetlinkOp, NUD_PERMANENT, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

/** A namespace to run a program in, and the address that it has there. */
export interface Place {
  readonly netns: Netns;
  readonly addr: Addr;
}

type Settings = Pick<ClusterConfig, 'profile' | 'fastPath'>;

export interface Topology extends AsyncDisposable {
  readonly nodes: readonly [Place, Place];
  /** Pods of the first node. */
  readonly near: readonly [Place, Place];
  /** A pod of the second node. */
  readonly far: Place;
}

const NODE_ADDRS = [parseAddr('192.168.1.101'), parseAddr('192.168.1.102')] as const;
const CIDRS = [parsePrefix('10.244.1.0/24'), parsePrefix('10.244.2.0/24')] as const;
const GATEWAY = parseAddr('169.254.1.1');
const HOST_MAC = parseMac('ee:ee:ee:ee:ee:ee');

/** Two namespaces joined by one veth pair: what every other way is measured against. */
export function directPair(stack: DisposableStack): readonly [Place, Place] {
  const [a, b] = twoPlaces(stack);
  using netlink = openNetlink(a.netns.fd);
  must(netlink, [
    { op: 'link.add', link: { name: 'eth0', info: { kind: 'veth' }, peer: { name: 'eth0', netns: b.netns.fd } } },
  ]);
  for (const place of [a, b]) equip(place);
  return [a, b];
}

/** The same with a switch between them, as the nodes of a lab have it. */
export function switchedPair(stack: DisposableStack): readonly [Place, Place] {
  const pair = twoPlaces(stack);
  using middle = openNetlink(stack.use(scratchNetns()).fd);
  must(middle, [{ op: 'link.add', link: { name: 'br1', info: { kind: 'bridge' }, up: true } }]);
  for (const [i, place] of pair.entries()) {
    const peer = { name: 'eth0', netns: place.netns.fd };
    must(middle, [{ op: 'link.add', link: { name: `n${i}`, info: { kind: 'veth' }, up: true, master: 'br1', peer } }]);
    equip(place);
  }
  return pair;
}

function twoPlaces(stack: DisposableStack): readonly [Place, Place] {
  const [a, b] = NODE_ADDRS.map((addr) => ({ netns: stack.use(scratchNetns()), addr }));
  if (!a || !b) throw new Error('two places');
  return [a, b];
}

function equip({ netns, addr }: Place): void {
  using inside = openNetlink(netns.fd);
  must(inside, [...up('lo'), ...up('eth0'), address('eth0', `${addr}/24`)]);
}

/** @param fastPath as the setting of this name @throws Error if the kernel cannot do it */
export async function makeTopology(profile: Profile, fastPath: boolean): Promise<Topology> {
  const stack = new DisposableStack();
  try {
    const nodes = directPair(stack);
    const first = await programNode(stack, { profile, fastPath }, nodes[0], 0, 2);
    const second = await programNode(stack, { profile, fastPath }, nodes[1], 1, 1);
    const [a, b] = first;
    const [far] = second;
    if (!a || !b || !far) throw new Error('three pods');
    return { nodes, near: [a, b], far, [Symbol.asyncDispose]: async () => stack.dispose() };
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

/** Syncs the node twice: the bridge has to be there before its pods, the pods before their routes. */
async function programNode(
  stack: DisposableStack,
  settings: Settings,
  node: Place,
  index: 0 | 1,
  pods: number,
): Promise<Place[]> {
  const netlink = stack.use(openNetlink(node.netns.fd));
  const state = await sync(netlink, node, settings, index, []);
  const endpoints = Array.from({ length: pods }, (_, i) =>
    endpoint(settings.profile, addrPlus(addrOf(CIDRS[index]), i + 2), i),
  );
  const places = endpoints.map((pod) => attach(stack, netlink, state, pod));
  const { fastPath } = await sync(netlink, node, settings, index, endpoints);
  const driver = stack.use(new FastPathDriver(netlink));
  inNetns(node.netns, () => driver.apply(fastPath));
  if (driver.trouble !== undefined) throw new Error(`No fast path here: ${driver.trouble}`);
  return places;
}

async function sync(
  netlink: Netlink,
  node: Place,
  settings: Settings,
  index: 0 | 1,
  endpoints: LocalEndpoint[],
): Promise<NodeState> {
  const names = ['node1', 'node2'] as const;
  const nodes = names.map((name, i) => {
    const addr = NODE_ADDRS[i] ?? node.addr;
    return { name, addr, addrs: [addr], networks: CIDRS.slice(i, i + 1), labels: {} };
  });
  const config = { ...settings, clusterCidrs: [parsePrefix('10.244.0.0/16')], masquerade: true, mtu: 0 };
  const pools = defaultPools(config);
  const snapshot: Snapshot = {
    config,
    nodes,
    pools,
    bgp: DEFAULT_BGP,
    felix: DEFAULT_FELIX,
    local: { node: names[index], endpoints },
  };
  const underlay = readUnderlay(netlink, { ifname: 'eth0' });
  const outcome = underlay && calcNodeState(snapshot, underlay);
  if (outcome?.kind !== 'ready') throw new Error(outcome?.problem.sentence ?? 'no underlay');
  const wanted = deriveSynced(snapshot as Synced<Snapshot>, () => want(outcome.state));
  using nft = openNft(node.netns.fd);
  using wireguard = openWireguard(() => undefined, node.netns.fd);
  const kernel = { netlink, nft, sysctl: kernelSysctls(node.netns.fd), wireguard };
  const report = await runPass(kernel, () => ({ kind: 'complete', wanted }));
  if (!isClean(report)) throw new Error(`Cannot program the node: ${JSON.stringify(report.failures)}`);
  return outcome.state;
}

function endpoint(profile: Profile, addr: Addr, index: number): LocalEndpoint {
  const mac = parseMac(`02:00:00:00:00:0${index + 2}`);
  const hostIfname = `${profile.hostIfPrefix}${index}`;
  const { attachment } = profile;
  return { containerId: `c${index}`, ifname: 'eth0', network: 'polder', attachment, hostIfname, addrs: [addr], mac };
}

/** As the CNI plugin attaches a pod. */
function attach(stack: DisposableStack, host: Netlink, state: NodeState, pod: LocalEndpoint): Place {
  const netns = stack.use(scratchNetns());
  const [addr = GATEWAY] = pod.addrs;
  const mtu = state.podMtu;
  const routed = pod.attachment === 'routed';
  const peer = { name: 'eth0', mac: pod.mac, mtu, netns: netns.fd };
  const mac = routed ? { mac: HOST_MAC } : {};
  const master = state.bridge ? { master: state.bridge.name } : {};
  must(host, [
    { op: 'link.add', link: { name: pod.hostIfname, info: { kind: 'veth' }, mtu, ...mac, ...master, peer } },
  ]);
  must(host, up(pod.hostIfname));
  using inside = openNetlink(netns.fd);
  must(inside, [...up('lo'), ...up('eth0')]);
  must(inside, routed ? routedPod(addr) : bridgedPod(addr, state));
  return { netns, addr };
}

function routedPod(addr: Addr): NetlinkOp[] {
  return [
    address('eth0', `${addr}/32`),
    { op: 'neigh.replace', neighbour: { link: 'eth0', addr: GATEWAY, mac: HOST_MAC, state: NUD_PERMANENT } },
    route(hostPrefix(GATEWAY), {}),
    route('0.0.0.0/0', { via: GATEWAY }),
  ];
}

function bridgedPod(addr: Addr, state: NodeState): NetlinkOp[] {
  const gateway = addrOf(state.bridge?.addrs[0] ?? ifAddr(GATEWAY, 32));
  return [address('eth0', `${addr}/24`), route('0.0.0.0/0', { via: gateway })];
}

function route(to: string, { via }: { via?: Addr }): NetlinkOp {
  const scope = via === undefined ? 'link' : 'global';
  const hop = { link: 'eth0', ...(via === undefined ? {} : { via }) };
  const made: Route = { to: parsePrefix(to), type: 'unicast', table: TABLE_MAIN, protocol: 3, scope, hops: [hop] };
  return { op: 'route.add', route: made };
}

function address(link: string, text: string): NetlinkOp {
  return { op: 'addr.add', address: { link, address: parseIfAddr(text), scope: 'global' } };
}

function up(name: string): NetlinkOp[] {
  return [{ op: 'link.set', name, change: { up: true } }];
}

function must(netlink: Netlink, ops: readonly NetlinkOp[]): void {
  const [failure] = netlink.run(ops);
  if (failure) throw new Error(`Cannot lay the bench: ${failure.op.op}: ${failure.code} ${failure.text ?? ''}`);
}
