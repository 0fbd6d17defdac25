/** ADD: bridge, veth, addresses by the IPAM plugin, gateway, masquerade; a step that fails undoes those before it. */

import { announceOnBridge } from '#cni/parts/announce.ts';
import { ensureAddress, ensureBridge } from '#cni/parts/bridge.ts';
import { configureInterface } from '#cni/parts/configure.ts';
import { enableForwarding } from '#cni/parts/forward.ts';
import { dnsOver, ipamAdd, ipamOf } from '#cni/parts/ipam.ts';
import { bindMac } from '#cni/parts/mac-spoof.ts';
import { masqueradePod, unmasqueradePod } from '#cni/parts/masquerade.ts';
import { run } from '#cni/parts/run.ts';
import { settleAddresses } from '#cni/parts/settle.ts';
import { Undo } from '#cni/parts/undo.ts';
import { makeVeth, type Veth } from '#cni/parts/veth.ts';
import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { type BridgeConf, readBridgeConf } from '#cni/plugins/bridge/conf.ts';
import { gatewaysOf } from '#cni/plugins/bridge/gateways.ts';
import { ensureVlanGateway, joinVlans, vlanGatewayOf } from '#cni/plugins/bridge/vlan.ts';
import type { KnownLink } from '#kernel/netlink/handle.ts';
import { prefixFamily } from '#net/prefix.ts';
import { appendResult, type CniInterface, type CniResult } from '#wire/cni/result.ts';

/** Of bridge, host's end, pod's end, gateway of a VLAN in `interfaces`, as the reference orders them. */
export const POD_INTERFACE = 2;

export async function add(call: PluginCall): Promise<CniResult> {
  const conf = readBridgeConf(call);
  using pod = call.caller.openPod(call.request.netns);
  await using undo = new Undo(call.host.log);
  const bridge = ensureBridge(call.caller, bridgeWanted(conf), undo);
  const veth = await makeVeth(call, pod, { ...conf, master: bridge }, undo);
  setPort(call, conf, veth);
  const attached = ipamOf(call.conf) ? await addressed(call, conf, { pod, bridge, veth, undo }) : bare(call, conf, pod);
  if (conf.macspoofchk) bindMac(call, veth.host.name, veth.pod.mac, undo);
  const result = { ...attached, interfaces: interfacesOf(call, pod, conf, veth) };
  undo.keep();
  return call.conf.prevResult ? appendResult(call.conf.prevResult, result) : result;
}

function bridgeWanted({ bridge, mtu, promiscMode, vlan, vlanTrunk }: BridgeConf) {
  const vlanFiltering = vlan !== 0 || vlanTrunk.length > 0;
  return { name: bridge, promisc: promiscMode, vlanFiltering, ...(mtu !== undefined && { mtu }) };
}

function setPort({ caller }: PluginCall, conf: BridgeConf, { host: { name } }: Veth): void {
  const change = { ...(conf.hairpinMode && { hairpin: true }), ...(conf.portIsolation && { isolated: true }) };
  if (Object.keys(change).length > 0) run(caller.netlink, [{ op: 'link.set', name, change }]);
  joinVlans(caller.netlink, name, conf);
}

/** A layer-2 attachment: the interface is up, or left to whoever uses it. */
function bare({ conf, request }: PluginCall, { disableContainerInterface }: BridgeConf, pod: PodNetns) {
  if (!disableContainerInterface) run(pod.netlink, [{ op: 'link.set', name: request.ifname, change: { up: true } }]);
  return { ips: [], routes: [], dns: conf.dns };
}

interface Attached {
  readonly pod: PodNetns;
  readonly bridge: KnownLink;
  readonly veth: Veth;
  readonly undo: Undo;
}

async function addressed(call: PluginCall, conf: BridgeConf, { pod, bridge, veth, undo }: Attached) {
  const ipam = ipamOf(call.conf);
  if (!ipam) return bare(call, conf, pod);
  const given = await ipamAdd(call, ipam, undo);
  const { ips, routes, addresses } = gatewaysOf(conf, given, POD_INTERFACE);
  configureInterface(pod, call.request.ifname, { ips, routes }, { dad: conf.enabledad });
  if (conf.isGateway) {
    const { netlink } = call.caller;
    const gateway = vlanGatewayOf(conf);
    const holder = gateway === undefined ? bridge : ensureVlanGateway(netlink, gateway, bridge, conf);
    for (const address of addresses) ensureAddress(netlink, holder, address, conf.vlan === 0 && conf.forceAddress);
    enableForwarding(call.caller, addresses.map(prefixFamily));
  }
  if (conf.ipMasq) {
    undo.defer(() => unmasqueradePod(call));
    masqueradePod(
      call,
      ips.map(({ address }) => address),
    );
  }
  if (conf.enabledad) await settleAddresses(pod, call.request.ifname);
  await announceOnBridge(call, pod, veth);
  return { ips, routes, dns: dnsOver(call.conf, given) };
}

/** The bridge is read again: it may have taken the hardware address of its first port. */
function interfacesOf(call: PluginCall, pod: PodNetns, conf: BridgeConf, veth: Veth): CniInterface[] {
  const onHost = (name: string): CniInterface => ({ name, ...call.caller.netlink.hardwareOf(name) });
  const gateway = ipamOf(call.conf) && vlanGatewayOf(conf);
  return [
    onHost(conf.bridge),
    veth.host,
    { ...veth.pod, sandbox: pod.path },
    ...(gateway === undefined ? [] : [onHost(gateway)]),
  ];
}
