/** The CNI plugin `bandwidth`: see README.md of this folder. */

import { failOn, needPrevResult } from '#cni/parts/chained.ts';
import { hostEndOf } from '#cni/parts/host-end.ts';
import { needAbility } from '#cni/parts/kernel-probe.ts';
import { ownerOfCall, staleIn } from '#cni/parts/owner.ts';
import { run } from '#cni/parts/run.ts';
import { Undo } from '#cni/parts/undo.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { type BandwidthConf, readBandwidthConf, type Shape } from '#cni/plugins/bandwidth/conf.ts';
import { shapingDifferences } from '#cni/plugins/bandwidth/differences.ts';
import { ifbNames, isIfbOf, isReferenceIfb } from '#cni/plugins/bandwidth/names.ts';
import { shapingOf, shapingOps } from '#cni/plugins/bandwidth/shaping.ts';
import { PolderError } from '#spec/errors.ts';
import type { CniInterface, CniResult } from '#wire/cni/result.ts';
import { type Filter, tcId } from '#wire/netlink/tc-values.ts';
import type { Link } from '#wire/netlink/values.ts';

export const bandwidth: Plugin = { type: 'bandwidth', add, del, check, status, gc };

async function add(call: PluginCall): Promise<CniResult> {
  const conf = readBandwidthConf(call.conf);
  const prev = needPrevResult(call);
  if (!conf.ingress && !conf.egress) return prev;
  const port = hostEnd(call);
  await using undo = new Undo(call.host.log);
  clearPort(call, port);
  undo.defer(() => clearPort(call, port));
  if (conf.ingress) shape(call, port, conf.ingress, conf);
  const ifb = conf.egress ? await shapeOutgoing(call, undo, port, conf.egress, conf) : undefined;
  undo.keep();
  return ifb ? { ...prev, interfaces: [...prev.interfaces, ifb] } : prev;
}

/** The node's end of the pod's veth. @throws PolderError cni-config if it is none, or its other end is not here. */
function hostEnd(call: PluginCall): Link {
  const { ifname, netns } = call.request;
  const port = hostEndOf(call);
  if (port) return port;
  throw new PolderError('cni-config', {
    what: `${ifname} in ${netns} is no veth with its other end on the node: it cannot be shaped`,
  });
}

function shape({ caller }: PluginCall, link: Pick<Link, 'name' | 'mtu'>, shape: Shape, conf: BandwidthConf): void {
  run(caller.netlink, shapingOps(shapingOf(link.name, link.mtu, shape, conf.subnets)));
}

/** Takes away what an earlier call has left. */
function clearPort({ caller }: PluginCall, { name }: Link): void {
  const own = caller.netlink.qdiscs(name).filter(({ handle, parent, info }) => {
    return (
      info.kind === 'ingress' || (handle === tcId(1) && parent === undefined && ['tbf', 'htb'].includes(info.kind))
    );
  });
  run(
    caller.netlink,
    own.map((qdisc) => ({ op: 'qdisc.del', qdisc })),
    'ENOENT',
    'EINVAL',
  );
}

/** What comes in cannot wait; so it is led to an interface of its own, which lets it out as it should. */
async function shapeOutgoing(
  call: PluginCall,
  undo: Undo,
  port: Link,
  wanted: Shape,
  conf: BandwidthConf,
): Promise<CniInterface> {
  const { netlink, remover } = call.caller;
  await removeIfbs(call);
  const name = ifbNames(call).find((one) => !netlink.link(one)) ?? taken(call);
  run(netlink, [
    {
      op: 'link.add',
      link: { name, info: { kind: 'ifb' }, mtu: port.mtu, up: true, queues: 1, alias: ownerOfCall(call) },
    },
  ]);
  undo.defer(() => remover.remove(name));
  shape(call, { name, mtu: port.mtu }, wanted, conf);
  run(netlink, [
    { op: 'qdisc.add', qdisc: { link: port.name, info: { kind: 'ingress' } } },
    { op: 'filter.add', filter: leadingTo(name, port) },
  ]);
  const mac = netlink.link(name)?.mac;
  return { name, ...(mac && { mac }), mtu: port.mtu };
}

function taken({ request }: PluginCall): never {
  throw new PolderError('cni-attached', {
    container: request.containerId,
    ifname: `for bandwidth (of ${request.ifname})`,
  });
}

function leadingTo(ifb: string, { name }: Link): Filter {
  return {
    link: name,
    parent: 'ingress',
    priority: 1,
    protocol: 'all',
    match: { kind: 'u32', keys: [] },
    class: tcId(1, 1),
    action: { kind: 'redirect', to: ifb },
  };
}

/** What is on the veth goes with it. */
async function del(call: PluginCall): Promise<void> {
  await removeIfbs(call);
}

async function removeIfbs(call: PluginCall): Promise<void> {
  const { netlink, remover } = call.caller;
  const links = ifbNames(call).flatMap((name) => netlink.link(name) ?? []);
  const own = links.filter((link) => isIfbOf(call, link) || isReferenceIfb(call, link));
  await Promise.all(own.map(({ name }) => remover.remove(name)));
}

async function gc(call: PluginCall): Promise<void> {
  const isStale = staleIn(call);
  const { netlink, remover } = call.caller;
  const stale = netlink
    .links()
    .filter(({ info, alias }) => info.kind === 'ifb' && alias !== undefined && isStale(alias));
  await Promise.all(stale.map(({ name }) => remover.remove(name)));
}

async function check(call: PluginCall): Promise<void> {
  const conf = readBandwidthConf(call.conf);
  needPrevResult(call);
  if (!conf.ingress && !conf.egress) return;
  const port = hostEnd(call);
  const { netlink } = call.caller;
  const ingress = conf.ingress
    ? shapingDifferences(netlink, shapingOf(port.name, port.mtu, conf.ingress, conf.subnets))
    : [];
  failOn([...ingress, ...(conf.egress ? egressDifferences(call, port, conf.egress, conf) : [])], call);
}

function egressDifferences(call: PluginCall, port: Link, wanted: Shape, conf: BandwidthConf): string[] {
  const { netlink } = call.caller;
  const links = ifbNames(call).flatMap((name) => netlink.link(name) ?? []);
  const ifb = links.find((link) => isIfbOf(call, link)) ?? links.find((link) => isReferenceIfb(call, link));
  if (!ifb) return [`the interface ${ifbNames(call)[0]} is missing`];
  const leads = netlink
    .filters(port.name, 'ingress')
    .some(({ action }) => action?.kind === 'redirect' && action.to === ifb.name);
  return [
    ...(ifb.up ? [] : [`${ifb.name} is down`]),
    ...(leads ? [] : [`${port.name} does not lead to ${ifb.name}`]),
    ...shapingDifferences(netlink, shapingOf(ifb.name, ifb.mtu, wanted, conf.subnets)),
  ];
}

/** @throws PolderError cni-not-available (CNI code 50) where the kernel lacks a part. */
async function status(call: PluginCall): Promise<void> {
  readBandwidthConf(call.conf);
  const { qdisc } = shapingOf('probe', 1500, { rate: 1_000_000, burst: 100_000 }, undefined);
  needAbility('bandwidth', [
    { op: 'link.add', link: { name: 'probe', info: { kind: 'ifb' }, up: true } },
    { op: 'qdisc.add', qdisc },
    { op: 'qdisc.add', qdisc: { link: 'probe', info: { kind: 'ingress' } } },
  ]);
}
