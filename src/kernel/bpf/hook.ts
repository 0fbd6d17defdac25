/** Where programs of ours stand in a packet's way at an interface; there are two ways to put them there. */

import type { Netlink } from '#kernel/netlink/handle.ts';

/** By the interface's name. */
export interface Place {
  readonly link: string;
  readonly parent: 'ingress' | 'egress';
}

export interface WantedProgram extends Place {
  /** Eight hexadecimal digits, others for other instructions: a program is known by them. */
  readonly digest: string;
  readonly instructions: Uint8Array;
}

/** The handle's namespace is the thread's own. Each function throws PolderError kernel-refused, SystemError, or Error with the verifier's words. */
export interface Hook {
  /** Those with a program of ours. */
  places(netlink: Netlink): Place[];
  /** Does nothing if it is there already; an older one is replaced where it stands, so that no packet misses both. */
  put(netlink: Netlink, wanted: WantedProgram): void;
  /** Takes away what is ours. */
  clear(netlink: Netlink, place: Place): void;
}
