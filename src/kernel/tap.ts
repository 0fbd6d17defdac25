/** Tap interfaces: rtnetlink reads and changes them, but only /dev/net/tun makes them. */

import { closeFd } from '#kernel/ffi/sockets.ts';
import { attachTun, keepTun, openTunDevice, setTunGroup, setTunOwner } from '#kernel/ffi/tun.ts';
import { inNetns, type NetnsRef } from '#kernel/netns/enter.ts';

/** linux/if_tun.h. */
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_TUN_EXCL = 0x8000;

export interface NewTap {
  /** At most 15 bytes. */
  readonly name: string;
  /** Who may open it beside root: uid and gid. */
  readonly owner?: number;
  readonly group?: number;
  readonly multiQueue?: boolean;
}

const MAX_NAME = 15;

/**
 * Makes a tap interface that stays, down, in the namespace (else the thread's own).
 * @throws SystemError (EBUSY: the name is taken; ENOENT, ENODEV: the kernel has no tun), RangeError for the name.
 */
export function makeTap(tap: NewTap, ns?: NetnsRef): void {
  const { length } = new TextEncoder().encode(tap.name);
  if (length === 0 || length > MAX_NAME)
    throw new RangeError(`Cannot use "${tap.name}" as the name of an interface: 1 to ${MAX_NAME} bytes`);
  if (ns === undefined) make(tap);
  else inNetns(ns, () => make(tap));
}

function make({ name, owner, group, multiQueue = false }: NewTap): void {
  const fd = openTunDevice();
  try {
    attachTun(fd, name, IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | (multiQueue ? IFF_MULTI_QUEUE : 0));
    if (owner !== undefined) setTunOwner(fd, owner);
    if (group !== undefined) setTunGroup(fd, group);
    keepTun(fd);
  } finally {
    closeFd(fd);
  }
}
