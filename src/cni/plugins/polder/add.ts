/** ADD: allocate (journalled), make the veth with its peer in the pod, configure both ends. */

import { keyOf } from '#cni/ipam/record.ts';
import { refused } from '#cni/link-remover.ts';
import { askedAddrs, askedMac } from '#cni/parts/asked.ts';
import { runOn } from '#cni/parts/run.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { removeEndpoint } from '#cni/plugins/polder/del.ts';
import { hostIfnames, podMac } from '#cni/plugins/polder/names.ts';
import { dnsOf, hairpinOf } from '#cni/plugins/polder/options.ts';
import { resultOf } from '#cni/plugins/polder/result.ts';
import { type BridgeWanted, type Wanted, wantedOf } from '#cni/plugins/polder/wanted.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import type { Addr } from '#net/addr.ts';
import { OWN_ALIAS } from '#plan/objects.ts';
import type { LocalEndpoint } from '#spec/endpoint.ts';
import { PolderError } from '#spec/errors.ts';
import type { NodeNetwork } from '#spec/node-network.ts';
import { appendResult, type CniResult } from '#wire/cni/result.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

export async function add(call: PluginCall): Promise<CniResult> {
  const network = needNetwork(call);
  using pod = call.caller.openPod(call.request.netns);
  await refuseSecond(call, pod);
  const endpoint = await allocate(call, network);
  try {
    const wanted = wantedOf(endpoint, network, call.conf.mtu ?? network.mtu);
    await attach(call, pod, endpoint, wanted);
    const result = resultOf(endpoint, wanted, pod, call.caller.netlink, dnsOf(call.conf));
    call.host.store.up(keyOf(endpoint));
    return call.conf.prevResult ? appendResult(call.conf.prevResult, result) : result;
  } catch (error) {
    await removeEndpoint(call, endpoint);
    throw error;
  }
}

/** @throws PolderError cni-try-later (CNI code 11) while the agent does not know its node. */
export function needNetwork(call: PluginCall): NodeNetwork {
  const network = call.host.nodeNetwork();
  if (network && (network.ipam === 'pools' || network.podCidrs.length > 0)) return network;
  throw new PolderError('cni-try-later', { what: 'The node has no pod CIDR yet' });
}

/** An attachment that exists is an error; one that only the journal knows is what a killed agent left: made anew. */
async function refuseSecond(call: PluginCall, pod: PodNetns): Promise<void> {
  const { containerId, ifname } = call.request;
  const known = call.host.store.find(keyOf({ network: call.conf.name, containerId, ifname }));
  if (!known) return;
  if (pod.netlink.link(ifname)) throw new PolderError('cni-attached', { container: containerId, ifname });
  await removeEndpoint(call, known);
}

async function allocate(call: PluginCall, network: NodeNetwork): Promise<LocalEndpoint> {
  const { request, conf, host } = call;
  const mac = askedMac(conf, request);
  const namespace = request.args.get('K8S_POD_NAMESPACE');
  const pod = request.args.get('K8S_POD_NAME');
  const make = (addrs: readonly Addr[]): LocalEndpoint => ({
    containerId: request.containerId,
    ifname: request.ifname,
    network: conf.name,
    attachment: network.attachment,
    hostIfname: freeHostIfname(call, network),
    addrs,
    mac: mac ?? podMac(addrs, request),
    ...(namespace !== undefined && { podNamespace: namespace }),
    ...(pod !== undefined && { podName: pod }),
  });
  const ask = { wanted: askedAddrs(conf, request), ...(namespace && { namespace }), ...(pod && { pod }) };
  return await host.addresses.take(ask, network, (sources, wanted) => host.store.allocate({ sources, wanted, make }));
}

/** A pod of the same name that is not gone yet has the first candidate. */
function freeHostIfname(call: PluginCall, network: NodeNetwork): string {
  const names = hostIfnames(network.hostIfPrefix, call.request);
  const free = names.find((name) => !call.host.store.hasHostIfname(name));
  if (free !== undefined) return free;
  const { containerId, ifname } = call.request;
  throw new PolderError('cni-attached', { container: containerId, ifname });
}

async function attach(call: PluginCall, pod: PodNetns, endpoint: LocalEndpoint, wanted: Wanted): Promise<void> {
  const host = call.caller.netlink;
  forward(call, wanted);
  if (wanted.bridge) ensureBridge(host, wanted.bridge);
  await makeVeth(call, pod, endpoint, wanted);
  if (wanted.bridge && hairpinOf(call.conf)) {
    run(host, [{ op: 'link.set', name: endpoint.hostIfname, change: { hairpin: true } }]);
  }
  runOn(pod.netlink, endpoint.ifname, podOps(endpoint, wanted));
  runOn(host, endpoint.hostIfname, hostOps(wanted));
}

/** Pods' packets pass through the host's side: it must forward. Read first, since a write costs the kernel a walk of all devices. */
function forward({ caller }: PluginCall, wanted: Wanted): void {
  const names = new Set(
    wanted.ips.map(({ gateway }) => (gateway.includes(':') ? 'net.ipv6.conf.all.forwarding' : 'net.ipv4.ip_forward')),
  );
  for (const name of names) if (caller.readSysctl(name) !== '1') caller.writeSysctl(name, '1');
}

/**
 * The kernel is asked to make it, not first whether it could. EEXIST is either the pod's interface, or one of ours on
 * the host that is left from a journal that is gone: no endpoint has it, so it is ours to delete.
 */
async function makeVeth(call: PluginCall, pod: PodNetns, endpoint: LocalEndpoint, wanted: Wanted): Promise<void> {
  const { netlink, remover } = call.caller;
  const op = vethOp(pod, endpoint, wanted);
  const [failure] = netlink.run([op]);
  if (!failure) return;
  if (failure.code !== 'EEXIST') throw refused(failure);
  const { containerId, ifname } = endpoint;
  if (pod.netlink.link(ifname)) throw new PolderError('cni-attached', { container: containerId, ifname });
  await remover.remove(endpoint.hostIfname);
  run(netlink, [op]);
}

/**
 * A veth locks no queue and spreads nothing over them; but each has a folder in sysfs, and one for every CPU at both
 * ends would be half of what making (and deleting) the pair costs.
 */
const QUEUES = 1;

function vethOp(pod: PodNetns, endpoint: LocalEndpoint, wanted: Wanted): NetlinkOp {
  return {
    op: 'link.add',
    link: {
      name: endpoint.hostIfname,
      info: { kind: 'veth' },
      mtu: wanted.mtu,
      up: true,
      queues: QUEUES,
      ...(wanted.hostMac && { mac: wanted.hostMac }),
      ...(wanted.bridge && { master: wanted.bridge.name }),
      // Made in the pod at once: moving it there afterwards would cost an RCU wait.
      peer: { name: endpoint.ifname, mac: endpoint.mac, mtu: wanted.mtu, netns: pod.fd },
    },
  };
}

function podOps(endpoint: LocalEndpoint, wanted: Wanted): NetlinkOp[] {
  return [
    { op: 'link.set', name: endpoint.ifname, change: { up: true } },
    ...wanted.podAddresses.map((address): NetlinkOp => ({ op: 'addr.add', address })),
    // Behind those of another network's interface, which must be there when this one goes.
    ...wanted.podRoutes.map((route): NetlinkOp => ({ op: 'route.append', route })),
    ...wanted.podNeighbours.map((neighbour): NetlinkOp => ({ op: 'neigh.replace', neighbour })),
  ];
}

function hostOps(wanted: Wanted): NetlinkOp[] {
  return [
    ...wanted.hostRoutes.map((route): NetlinkOp => ({ op: 'route.replace', route })),
    ...wanted.hostNeighbours.map((neighbour): NetlinkOp => ({ op: 'neigh.replace', neighbour })),
  ];
}

/** Makes the bridge if it is not there; addresses that others gave it stay. */
export function ensureBridge(host: Netlink, bridge: BridgeWanted): void {
  const { name, mac, mtu, addresses } = bridge;
  const before = host.link(name);
  if (!before)
    run(
      host,
      [
        {
          op: 'link.add',
          link: { name, info: { kind: 'bridge' }, mtu, up: true, alias: OWN_ALIAS, ...(mac && { mac }) },
        },
      ],
      'EEXIST',
    );
  else if (before.info.kind !== 'bridge') {
    throw new PolderError('cni-config', {
      what: `${name} is the node’s bridge, but there is an interface ${name} that is none`,
    });
  } else if (!before.up) run(host, [{ op: 'link.set', name, change: { up: true } }]);
  run(
    host,
    addresses.map((address) => ({ op: 'addr.add', address })),
    'EEXIST',
  );
}

/** @throws PolderError kernel-refused with the line that does the same by hand. */
function run(netlink: Netlink, ops: readonly NetlinkOp[], tolerated?: string): void {
  if (ops.length === 0) return;
  const failure = netlink.run(ops).find(({ code }) => code !== tolerated);
  if (failure) throw refused(failure);
}
