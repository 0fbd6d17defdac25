/** VLANs of a bridge's ports, where the kernel filters them. */

import { createHash } from 'node:crypto';
import { run } from '#cni/parts/run.ts';
import type { BridgeConf } from '#cni/plugins/bridge/conf.ts';
import type { KnownLink, Netlink } from '#kernel/netlink/handle.ts';
import { PolderError } from '#spec/errors.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** The VLAN of every new port, unless preserveDefaultVlan is false. */
const DEFAULT_VLAN = 1;

type Vlans = Pick<BridgeConf, 'vlan' | 'vlanTrunk' | 'preserveDefaultVlan'>;

export function joinVlans(netlink: Netlink, port: string, { vlan, vlanTrunk, preserveDefaultVlan }: Vlans): void {
  if (vlan === 0 && vlanTrunk.length === 0) return;
  if (!preserveDefaultVlan) {
    run(netlink, [{ op: 'bridgeVlan.del', vlan: { link: port, vid: DEFAULT_VLAN } }], 'ENOENT');
  }
  const access: NetlinkOp = { op: 'bridgeVlan.add', vlan: { link: port, vid: vlan, pvid: true, untagged: true } };
  run(netlink, [
    ...(vlan === 0 ? [] : [access]),
    ...vlanTrunk.map(
      ({ min, max }): NetlinkOp => ({
        op: 'bridgeVlan.add',
        vlan: { link: port, vid: min, ...(max > min && { end: max }) },
      }),
    ),
  ]);
}

/** How the port's VLANs differ from what joinVlans has made. */
export function vlanDifferences(netlink: Netlink, port: string, conf: Vlans): string[] {
  const { vlan, vlanTrunk, preserveDefaultVlan } = conf;
  if (vlan === 0 && vlanTrunk.length === 0) return [];
  const found = netlink.bridgeVlans(port);
  const within = (id: number) => found.find(({ vid, end = vid }) => id >= vid && id <= end);
  const access = within(vlan);
  const tagged = vlanTrunk.flatMap(({ min, max }) => Array.from({ length: max - min + 1 }, (_, i) => min + i));
  const missing = tagged.find((id) => !within(id));
  const asked = [vlan, ...tagged];
  return [
    ...(vlan === 0 || (access?.pvid && access.untagged) ? [] : [`${port} does not carry VLAN ${vlan} untagged`]),
    ...(missing === undefined ? [] : [`${port} does not carry VLAN ${missing}`]),
    ...(preserveDefaultVlan || asked.includes(DEFAULT_VLAN) || !within(DEFAULT_VLAN)
      ? []
      : [`${port} carries the default VLAN ${DEFAULT_VLAN}`]),
  ];
}

/** Name of the host's own interface in the VLAN, which has the gateway's address; undefined if the bridge has it, or nobody. */
export function vlanGatewayOf({ bridge, vlan, isGateway }: BridgeConf): string | undefined {
  return isGateway && vlan !== 0 ? `${bridge}.${vlan}` : undefined;
}

/** A veth by that name whose other end is a port of the bridge. */
export function ensureVlanGateway(netlink: Netlink, name: string, bridge: KnownLink, conf: Vlans): KnownLink {
  if (!netlink.find(name)) {
    const port = `veth${createHash('sha1').update(name).digest('hex').slice(0, 8)}`;
    const mtu = netlink.hardwareOf(bridge.name)?.mtu;
    const size = mtu === undefined ? {} : { mtu };
    const link = {
      name: port,
      info: { kind: 'veth' },
      master: bridge.name,
      up: true,
      ...size,
      peer: { name, ...size },
    } as const;
    run(netlink, [{ op: 'link.add', link }], 'EEXIST');
    joinVlans(netlink, port, conf);
    run(netlink, [{ op: 'link.set', name, change: { up: true } }]);
  }
  const link = netlink.find(name);
  if (link) return link;
  throw new PolderError('cni-io', { what: `The interface ${name} went away while it was set up` });
}
