/**
 * Whose an object in the kernel is, as a text that fits where the kernel keeps comments: `NETWORK CONTAINER IFNAME`.
 * Long names are shortened to their beginning and a digest, so that the whole has at most 110 characters.
 */

import { createHash } from 'node:crypto';
import type { PluginCall } from '#cni/plugin.ts';

const LONGEST_NETWORK = 24;
const LONGEST_ID = 68;
const DIGITS = 12;

/** Names are ASCII without white space (`#wire/cni/names.ts`): the parts can be told from one another. */
export function ownerOf(network: string, containerId: string, ifname: string): string {
  return `${networkTag(network)} ${short(containerId, LONGEST_ID)} ${ifname}`;
}

export function ownerOfCall({ conf, request }: PluginCall): string {
  return ownerOf(conf.name, request.containerId, request.ifname);
}

/** True for owners of the call's network that the runtime does not name as valid (GC). */
export function staleIn({ conf }: PluginCall): (owner: string) => boolean {
  const valid = new Set((conf.validAttachments ?? []).map((a) => ownerOf(conf.name, a.containerID, a.ifname)));
  const ofNetwork = `${networkTag(conf.name)} `;
  return (owner) => owner.startsWith(ofNetwork) && !valid.has(owner);
}

function networkTag(network: string): string {
  return short(network, LONGEST_NETWORK);
}

function short(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, DIGITS);
  return `${text.slice(0, longest - DIGITS - 1)}~${digest}`;
}
