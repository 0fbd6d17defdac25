/** ioctls of /dev/net/tun. Source: linux/if_tun.h, Documentation/networking/tuntap.rst. */

import koffi from 'koffi';
import { O_CLOEXEC } from '#kernel/ffi/constants.ts';
import { checked } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

const ioctlBytes: (fd: number, request: number, bytes: Uint8Array) => number = koffi
  .load(null)
  .func('int ioctl(int fd, ulong request, _Inout_ uint8_t *bytes)');

const O_RDWR = 2;
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
/** `struct ifreq`: a name of 16 bytes, then a union. */
const IFREQ = 40;
const FLAGS_AT = 16;

/** @throws SystemError (ENOENT: no such device; ENODEV: the kernel has no tun) */
export function openTunDevice(): number {
  return checked(libc.open('/dev/net/tun', O_RDWR | O_CLOEXEC, 0), 'open', 'open /dev/net/tun');
}

/** Makes or joins the interface, in the thread's network namespace. @throws SystemError (EBUSY, EINVAL, EPERM) */
export function attachTun(fd: number, name: string, flags: number): void {
  const request = new Uint8Array(IFREQ);
  request.set(new TextEncoder().encode(name).subarray(0, FLAGS_AT - 1));
  new DataView(request.buffer).setUint16(FLAGS_AT, flags, true);
  checked(ioctlBytes(fd, TUNSETIFF, request), 'ioctl', `make the tun or tap interface ${name}`);
}

/** @throws SystemError */
export function setTunOwner(fd: number, owner: number): void {
  checked(libc.ioctl(fd, TUNSETOWNER, owner), 'ioctl', 'set the owner of a tap interface');
}

/** @throws SystemError */
export function setTunGroup(fd: number, group: number): void {
  checked(libc.ioctl(fd, TUNSETGROUP, group), 'ioctl', 'set the group of a tap interface');
}

/** It stays when the descriptor is closed. @throws SystemError */
export function keepTun(fd: number): void {
  checked(libc.ioctl(fd, TUNSETPERSIST, 1), 'ioctl', 'keep a tap interface');
}
