/**
 * The programs that stand in for an IPIP device: they stay when the process ends, as a device does, and are found again by
 * their names, which say what they were made of.
 */

import { createHash } from 'node:crypto';
import { CLSACT } from '#kernel/bpf/clsact.ts';
import type { Hook, Place, WantedProgram } from '#kernel/bpf/hook.ts';
import { hasTcx, TCX } from '#kernel/bpf/tcx.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { decapsulate, encapsulate, type IpipPath } from '#wire/bpf/ipip.ts';

/** Names of interfaces, the source of outer headers, and those that are taken. */
export interface IpipWish extends Pick<IpipPath, 'local' | 'remotes'> {
  readonly device: string;
  readonly underlay: string;
}

/** The best that this kernel has, then those that an earlier agent may have used. */
export function ipipHooks(): readonly [Hook, ...Hook[]] {
  return hasTcx() ? [TCX, CLSACT] : [CLSACT];
}

/**
 * Makes it so; without a wish nothing of it is left on any interface. Does nothing if it is so already. The handle's namespace
 * must be the thread's own.
 * @throws PolderError kernel-refused, SystemError, Error with the verifier's words
 */
export function placeIpip(netlink: Netlink, wish: IpipWish | undefined, hooks = ipipHooks()): void {
  const wanted = wish ? programsOf(netlink, wish) : [];
  const [hook, ...former] = hooks;
  for (const place of hook.places(netlink)) {
    if (!wanted.some((each) => same(each, place))) hook.clear(netlink, place);
  }
  for (const each of wanted) hook.put(netlink, each);
  // Only now: packets go by either.
  for (const old of former) for (const place of old.places(netlink)) old.clear(netlink, place);
}

/** Where programs of ours stand, whoever has put them there. The handle's namespace must be the thread's own. @throws SystemError */
export function ipipPlaces(netlink: Netlink): Place[] {
  return ipipHooks().flatMap((hook) => hook.places(netlink));
}

/** None while an interface is not there. */
function programsOf(netlink: Netlink, { device, underlay, local, remotes }: IpipWish): WantedProgram[] {
  const [tunnel, below] = [netlink.link(device), netlink.link(underlay)];
  if (!tunnel?.mac || !below) return [];
  const path = { tunnel: tunnel.index, tunnelMac: tunnel.mac, underlay: below.index, local, remotes };
  return [
    wantedProgram({ link: device, parent: 'egress' }, encapsulate(path)),
    wantedProgram({ link: underlay, parent: 'ingress' }, decapsulate(path)),
  ];
}

function wantedProgram(place: Place, instructions: Uint8Array): WantedProgram {
  const digest = createHash('sha256').update(instructions).digest('hex').slice(0, 8);
  return { ...place, digest, instructions };
}

function same(a: Place, b: Place): boolean {
  return a.link === b.link && a.parent === b.parent;
}
