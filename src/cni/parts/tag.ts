/** A mark on the kernel's objects (comment, alias) that says whose they are: what DEL without prevResult and GC go by. */

import { hash } from 'node:crypto';
import type { NetConf } from '#wire/cni/conf.ts';

/** What an attachment is known by. */
export interface Attachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** At most 113 characters (a comment of nftables has 128); the names are for people, the hashes are what is compared. */
export function tagOf({ network, containerId, ifname }: Attachment): string {
  return `${networkTag(network)} ${digest(`${containerId}/${ifname}`, 16)} ${containerId.slice(0, 64)}/${ifname}`;
}

function networkTag(network: string): string {
  return `polder ${digest(network, 8)}`;
}

function digest(text: string, digits: number): string {
  return hash('sha1', text).slice(0, digits);
}

/** True for a tag of the configuration's network whose attachment GC was not told to keep. */
export function staleTags({ name, validAttachments }: NetConf): (tag: string | undefined) => boolean {
  const own = `${networkTag(name)} `;
  const valid = new Set(
    (validAttachments ?? []).map((a) => tagOf({ network: name, containerId: a.containerID, ifname: a.ifname })),
  );
  return (tag) => tag?.startsWith(own) === true && !valid.has(tag);
}
