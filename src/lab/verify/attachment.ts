/** M8 (routed) and M9 (bridge): how a pod hangs on its node. */

import type { Netlink } from '#kernel/netlink/handle.ts';
import { type Claim, type Finding, holds } from '#lab/verify/claim.ts';
import { onNode, type TrialPod, type World } from '#lab/verify/world.ts';
import { parseAddr } from '#net/addr.ts';
import { hostPrefix } from '#net/prefix.ts';
import { PROFILES, type Profile } from '#spec/cluster.ts';
import type { Link } from '#wire/netlink/values.ts';

/** The claim that the lab's profile makes. */
export function attachmentClaim(profile: Profile): Claim {
  return profile.attachment === 'routed' ? ROUTED : BRIDGED;
}

const ROUTED: Claim = {
  id: 'M8',
  async try(world) {
    const [pod] = world.pods;
    const inside = await insideOf(world, pod);
    if (!inside.addresses.includes(`${pod.ip}/32`)) return holds(`eth0 has ${inside.addresses}, not ${pod.ip}/32`, '');
    if (!/^default via 169\.254\.1\.1 dev eth0/m.test(inside.routes))
      return holds(`no default route via 169.254.1.1: ${inside.routes}`, '');
    return onNode(world, pod.node, (netlink) =>
      routedOutside(netlink, pod, inside, PROFILES[world.spec.profile].hostIfPrefix),
    );
  },
};

function routedOutside(netlink: Netlink, pod: TrialPod, inside: Inside, prefix: string): Finding {
  const link = peerOf(netlink, inside);
  if (link === undefined || !link.name.startsWith(prefix))
    return holds(`the node's end is ${link?.name}, not ${prefix}…`, '');
  const wanted = hostPrefix(parseAddr(pod.ip));
  const route = netlink.routes({ family: 4 }).find(({ to, hops }) => to === wanted && hops[0]?.link === link.name);
  return holds(
    route === undefined ? `${pod.node.name} has no route ${wanted} dev ${link.name}` : undefined,
    `eth0 has ${pod.ip}/32, default via 169.254.1.1; ${pod.node.name} has ${wanted} dev ${link.name}`,
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
  const gateway = netlink.addresses().find(({ link, scope }) => link === name && scope === 'global')?.address;
  const expected = `${pod.ip.replace(/\.\d+$/, '.1')}/24`;
  if (gateway !== expected) return holds(`${name} has ${gateway}, not ${expected}`, '');
  const link = peerOf(netlink, inside);
  if (link?.master !== bridge.index) return holds(`the node's end ${link?.name} is not on ${name}`, '');
  const learned = netlink.fdb().some((entry) => entry.mac === inside.mac && entry.link === link.name);
  return holds(
    learned ? undefined : `${name} has not learned ${inside.mac} of ${pod.ip}`,
    `${name} has ${gateway}, ${link.name} is on it and its table leads ${inside.mac} there`,
  );
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
    'ip -o -4 addr show dev eth0; echo ---; ip route; echo ---; cd /sys/class/net/eth0; cat address iflink';
  const { stdout } = await world.exec(pod, 'side', ['sh', '-c', script]);
  const [addresses = '', routes = '', rest = ''] = stdout.split('---\n');
  const [mac = '', peer = ''] = rest.trim().split('\n');
  return { addresses, routes: routes.trim(), mac, peer: Number(peer) };
}

function peerOf(netlink: Netlink, inside: Inside): Link | undefined {
  return netlink.links().find(({ index }) => index === inside.peer);
}
