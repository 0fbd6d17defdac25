/** M8 (routed) and M9 (bridge): how a pod hangs on its node. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { type Claim, type Finding, holds } from '#lab/verify/claim.ts';
import { onNode, type TrialPod, type World } from '#lab/verify/world.ts';
import { type Addr, addrPlus, parseAddr } from '#net/addr.ts';
import { addrOf, contains, firstAddr, hostPrefix, type IfAddr, networkOf, prefixFamily } from '#net/prefix.ts';
import { PROFILES, type Profile } from '#spec/cluster.ts';
import type { Link } from '#wire/netlink/values.ts';

/** The claim that the lab's profile makes. */
export function attachmentClaim(profile: Profile): Claim {
  return profile.attachment === 'routed' ? ROUTED : BRIDGED;
}

const GATEWAYS = { 4: '169.254.1.1', 6: 'fe80::1' } as const;

const ROUTED: Claim = {
  id: 'M8',
  async try(world) {
    const [pod] = world.pods;
    const inside = await insideOf(world, pod);
    for (const ip of pod.ips) {
      const wanted = hostPrefix(parseAddr(ip));
      if (!inside.addresses.includes(` ${wanted}`)) return holds(`eth0 has ${inside.addresses}, not ${wanted}`, '');
      const via = GATEWAYS[prefixFamily(wanted)];
      if (!inside.routes.includes(`default via ${via} dev eth0`))
        return holds(`no default route via ${via}: ${inside.routes}`, '');
    }
    return onNode(world, pod.node, (netlink) =>
      routedOutside(netlink, pod, inside, PROFILES[world.spec.profile].hostIfPrefix),
    );
  },
};

function routedOutside(netlink: Netlink, pod: TrialPod, inside: Inside, prefix: string): Finding {
  const link = peerOf(netlink, inside);
  if (link === undefined || !link.name.startsWith(prefix))
    return holds(`the node's end is ${link?.name}, not ${prefix}…`, '');
  const wanted = pod.ips.map((ip) => hostPrefix(parseAddr(ip)));
  const routes = netlink.routes().filter(({ hops }) => hops[0]?.link === link.name);
  const missing = wanted.find((to) => !routes.some((route) => route.to === to));
  const gateways = wanted.map((to) => GATEWAYS[prefixFamily(to)]).join(' and ');
  return holds(
    missing === undefined ? undefined : `${pod.node.name} has no route ${missing} dev ${link.name}`,
    `eth0 has ${wanted.join(' and ')}, default via ${gateways}; ${pod.node.name} has ${wanted.join(' and ')} dev ${link.name}`,
  );
}

const BRIDGED: Claim = {
  id: 'M9',
  async try(world) {
    const [pod] = world.pods;
    const inside = await insideOf(world, pod);
    return onNode(world, pod.node, (netlink) =>
      bridgedOutside(netlink, pod, inside, PROFILES[world.spec.profile].bridge),
    );
  },
};

function bridgedOutside(netlink: Netlink, pod: TrialPod, inside: Inside, name: string): Finding {
  const bridge = netlink.link(name);
  if (bridge === undefined) return holds(`${pod.node.name} has no bridge ${name}`, '');
  const own = netlink.addresses().filter(({ link, scope }) => link === name && scope === 'global');
  const gateway = own.map(({ address }) => address).join(' and ');
  const missing = pod.ips.find((ip) => !own.some(({ address }) => isGateway(address, parseAddr(ip))));
  if (missing !== undefined) return holds(`${name} has ${gateway}, which is no gateway of ${missing}`, '');
  const link = peerOf(netlink, inside);
  if (link?.master !== bridge.index) return holds(`the node's end ${link?.name} is not on ${name}`, '');
  const learned = netlink.fdb().some((entry) => entry.mac === inside.mac && entry.link === link.name);
  return holds(
    learned ? undefined : `${name} has not learned ${inside.mac} of ${pod.ip}`,
    `${name} has ${gateway}, ${link.name} is on it and its table leads ${inside.mac} there`,
  );
}

/** The first address of the pod's network. */
function isGateway(address: IfAddr, ip: Addr): boolean {
  const network = networkOf(address);
  return contains(network, ip) && addrOf(address) === addrPlus(firstAddr(network), 1);
}

interface Inside {
  readonly addresses: string;
  readonly routes: string;
  readonly mac: string;
  /** Index of the other end of eth0. */
  readonly peer: number;
}

async function insideOf(world: World, pod: TrialPod): Promise<Inside> {
  const script =
    'ip -o addr show dev eth0; echo ---; ip route; ip -6 route; echo ---; cd /sys/class/net/eth0; cat address iflink';
  const { stdout } = await world.exec(pod, 'side', ['sh', '-c', script]);
  const [addresses = '', routes = '', rest = ''] = stdout.split('---\n');
  const [mac = '', peer = ''] = rest.trim().split('\n');
  return { addresses, routes: routes.trim(), mac, peer: Number(peer) };
}

function peerOf(netlink: Netlink, inside: Inside): Link | undefined {
  return netlink.links().find(({ index }) => index === inside.peer);
}
