/** `master`: the interface that a pod's interface stands on. */

import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { lengthOf } from '#net/prefix.ts';
import { optBoolean, optString, wrong } from '#wire/cni/json.ts';
import type { LinkBrief } from '#wire/netlink/values.ts';

export interface Master {
  readonly link: LinkBrief;
  /** Of the namespace that it is in. */
  readonly netlink: Netlink;
  /** `linkInContainer`: it is the pod's. */
  readonly inPod: boolean;
}

/** By `master`, else the interface of the default route. @throws PolderError cni-config if there is none. */
export function masterOf(call: PluginCall, pod: PodNetns, otherwise?: string): Master {
  const inPod = optBoolean(call.conf.raw, 'linkInContainer', '') ?? false;
  const { netlink } = inPod ? pod : call.caller;
  return { link: findMaster(call, netlink, otherwise), netlink, inPod };
}

/** For STATUS, which has no pod: nothing can be said of an interface that is in one. */
export function needMaster(call: PluginCall): void {
  if (optBoolean(call.conf.raw, 'linkInContainer', '') !== true) findMaster(call, call.caller.netlink);
}

function findMaster({ conf }: PluginCall, netlink: Netlink, otherwise?: string): LinkBrief {
  const said = optString(conf.raw, 'master', '') || otherwise;
  const name = said || defaultRouteLink(netlink);
  if (name === undefined) return wrong('master', 'must be given where there is no default route', undefined);
  return netlink.find(name) ?? wrong('master', 'must be an interface that is there', name);
}

function defaultRouteLink(netlink: Netlink): string | undefined {
  const routes = netlink.routes({ table: 254 }).filter(({ to, type }) => lengthOf(to) === 0 && type === 'unicast');
  return routes.flatMap(({ hops }) => hops).find(({ link }) => link !== undefined)?.link;
}

/** @throws PolderError cni-config: what stands on an interface sends no larger packets than it. */
export function fittingMtu({ conf }: PluginCall, { link }: Master): number | undefined {
  if (conf.mtu === undefined || conf.mtu <= link.mtu) return conf.mtu;
  return wrong('mtu', `must not be above ${link.mtu}, that of ${link.name}`, conf.mtu);
}
