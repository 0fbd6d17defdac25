/** Names of the interfaces through which pods' own traffic is led to be shaped. */

import { createHash } from 'node:crypto';
import { ownerOfCall } from '#cni/parts/owner.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { Link } from '#wire/netlink/values.ts';

const PREFIX = 'bwp';
/** IFNAMSIZ less the final NUL. */
const LONGEST = 15;

/**
 * First the reference plugin's name, so that a node can change over with pods running; it is the same for all
 * interfaces of a container in a network, so for the second there is another.
 */
export function ifbNames({ conf, request }: PluginCall): string[] {
  const { containerId, ifname } = request;
  return [hashed(`${conf.name}${containerId}`), hashed(`${conf.name}${containerId} ${ifname}`)];
}

function hashed(of: string): string {
  return `${PREFIX}${createHash('sha512').update(of).digest('hex')}`.slice(0, LONGEST);
}

/** Ours is marked with its owner by an alias. */
export function isIfbOf(call: PluginCall, link: Link): boolean {
  return link.info.kind === 'ifb' && link.alias === ownerOfCall(call);
}

/** One that the reference plugin made for this container: it sets no alias. */
export function isReferenceIfb(call: PluginCall, link: Link): boolean {
  return link.info.kind === 'ifb' && link.alias === undefined && link.name === ifbNames(call)[0];
}
