/** The CNI plugin `tap`: see README.md of this folder. */

import { askedMac, readStationMac } from '#cni/parts/asked.ts';
import { run } from '#cni/parts/run.ts';
import { singlePlugin } from '#cni/parts/single.ts';
import { refuseTaken } from '#cni/parts/veth.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { makeTap, type NewTap } from '#kernel/tap.ts';
import type { Mac } from '#net/mac.ts';
import { PolderError } from '#spec/errors.ts';
import { optBoolean, optString, optUint, wrong } from '#wire/cni/json.ts';
import type { Link } from '#wire/netlink/values.ts';

export const tap = singlePlugin({
  type: 'tap',
  kind: 'tun',
  make(call, pod, undo) {
    const { ifname } = call.request;
    const wanted = tapOf(call);
    const mac = macOf(call);
    const { mtu } = call.conf;
    const master = bridgeOf(call, pod);
    refuseTaken(call, pod);
    makeOrRefuse(wanted, pod);
    undo.defer(() => run(pod.netlink, [{ op: 'link.del', name: ifname }], 'ENODEV'));
    const change = { ...(mtu !== undefined && { mtu }), ...(mac && { mac }), ...(master && { master }) };
    if (Object.keys(change).length > 0) run(pod.netlink, [{ op: 'link.set', name: ifname, change }]);
  },
  status: (call) => void tapOf(call),
  differences,
});

function macOf({ conf, request }: PluginCall): Mac | undefined {
  return askedMac(conf, request) ?? readStationMac(optString(conf.raw, 'mac', ''), 'mac');
}

function tapOf({ conf, request }: PluginCall): NewTap {
  const owner = optUint(conf.raw, 'owner', '');
  const group = optUint(conf.raw, 'group', '');
  if (optString(conf.raw, 'selinuxContext', '')) {
    throw new PolderError('kernel-feature-missing', { feature: 'SELinux', detail: ', which selinuxContext needs' });
  }
  return {
    name: request.ifname,
    multiQueue: optBoolean(conf.raw, 'multiQueue', '') ?? false,
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
  };
}

/** A bridge of the pod. */
function bridgeOf({ conf }: PluginCall, pod: PodNetns): string | undefined {
  const name = optString(conf.raw, 'bridge', '');
  if (!name) return undefined;
  return pod.netlink.link(name)?.info.kind === 'bridge' ? name : wrong('bridge', 'must be a bridge of the pod', name);
}

function makeOrRefuse(wanted: NewTap, pod: PodNetns): void {
  try {
    makeTap(wanted, pod.fd);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
      throw new PolderError('kernel-feature-missing', { feature: 'tap interfaces', detail: ': no /dev/net/tun' });
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new PolderError('kernel-refused', { command: `ip tuntap add ${wanted.name} mode tap`, reason });
  }
}

function differences(call: PluginCall, { name, info, master }: Link, pod: PodNetns): string[] {
  const bridge = bridgeOf(call, pod);
  const { owner, group } = tapOf(call);
  if (info.kind !== 'tun') return [];
  return [
    ...(info.mode === 'tap' ? [] : [`${name} is no tap`]),
    ...(owner === undefined || info.owner === owner ? [] : [`${name} belongs to user ${info.owner}, not ${owner}`]),
    ...(group === undefined || info.group === group ? [] : [`${name} belongs to group ${info.group}, not ${group}`]),
    ...(bridge && pod.netlink.link(bridge)?.index !== master ? [`${name} is no port of ${bridge}`] : []),
  ];
}
