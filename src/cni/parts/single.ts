/** What plugins have in common that give a pod one interface with no end on the host: macvlan, ipvlan, vlan, dummy, tap. */

import { configureInterface } from '#cni/parts/configure.ts';
import { dnsOver, ipamAdd, ipamOf, ipamVerb, removeThenFree } from '#cni/parts/ipam.ts';
import { removeFromPod } from '#cni/parts/remove.ts';
import { run } from '#cni/parts/run.ts';
import { Undo } from '#cni/parts/undo.ts';
import { needPrevResult, podDifferences, refuseDifferences } from '#cni/parts/verify.ts';
import type { Plugin, PluginCall, PodNetns } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';
import { appendResult, type CniResult } from '#wire/cni/result.ts';
import type { Link } from '#wire/netlink/values.ts';

export interface SinglePlugin {
  readonly type: string;
  /** What the kernel calls it; absent: it may be anything. */
  readonly kind?: string;
  /** Refuses a configuration without `ipam.type`. */
  readonly needsIpam?: boolean;
  /** Reads the configuration, and makes the interface CNI_IFNAME in the pod, down. */
  make(call: PluginCall, pod: PodNetns, undo: Undo): void;
  /** Why it cannot be made now: throws. */
  status(call: PluginCall): void;
  /** What CHECK finds beside the common. */
  differences(call: PluginCall, link: Link, pod: PodNetns): readonly string[];
  /** Addresses that came before in the chain, to be used in place of an IPAM plugin's. */
  given?(call: PluginCall): CniResult | undefined;
}

export function singlePlugin(single: SinglePlugin): Plugin {
  return {
    type: single.type,
    add: (call) => add(call, single),
    del: (call) => removeThenFree(call, 'DEL', () => removeFromPod(call, single.kind)),
    check: (call) => check(call, single),
    async status(call) {
      needIpamOf(call, single);
      try {
        single.status(call);
      } catch (error) {
        // A configuration that does not fit this node as it is now.
        if (!(error instanceof PolderError) || error.code !== 'cni-config') throw error;
        throw new PolderError('cni-not-available', { what: error.message }, { cause: error });
      }
      await ipamVerb(call, 'STATUS');
    },
    gc: (call) => ipamVerb(call, 'GC'),
  };
}

function needIpamOf(call: PluginCall, { type, needsIpam }: SinglePlugin): void {
  if (!needsIpam || ipamOf(call.conf)) return;
  throw new PolderError('cni-config', { what: `ipam.type is missing: ${type} needs addresses` });
}

async function add(call: PluginCall, single: SinglePlugin): Promise<CniResult> {
  const { conf, request } = call;
  needIpamOf(call, single);
  using pod = call.caller.openPod(request.netns);
  await using undo = new Undo(call.host.log);
  single.make(call, pod, undo);
  const given = single.given?.(call);
  const ipam = ipamOf(conf);
  const source = given ?? (ipam && (await ipamAdd(call, ipam, undo)));
  const ips = (source?.ips ?? []).map((ip) => ({ ...ip, interface: 0 }));
  if (source) configureInterface(pod, request.ifname, { ips, routes: source.routes });
  else run(pod.netlink, [{ op: 'link.set', name: request.ifname, change: { up: true } }]);
  const itself = { name: request.ifname, ...pod.netlink.hardwareOf(request.ifname) };
  undo.keep();
  const dns = source ? dnsOver(conf, source) : conf.dns;
  const result = { interfaces: [{ ...itself, sandbox: pod.path }], ips, routes: source?.routes ?? [], dns };
  return conf.prevResult && !given ? appendResult(conf.prevResult, result) : result;
}

async function check(call: PluginCall, single: SinglePlugin): Promise<void> {
  const result = needPrevResult(call);
  await ipamVerb(call, 'CHECK');
  using pod = call.caller.openPod(call.request.netns);
  const { ifname } = call.request;
  const link = pod.netlink.link(ifname);
  refuseDifferences(call, [
    ...podDifferences(pod, ifname, result, single.kind),
    ...(link ? single.differences(call, link, pod) : []),
  ]);
}
