/**
 * Single facts of an interface by its name, by ioctl on a socket of its namespace: a fraction of the time of a netlink
 * exchange. Of a name that no interface has the kernel may look for a module first. Source: netdevice(7).
 */

import koffi from 'koffi';
import { checked, errnoName, lastErrno } from '#kernel/ffi/errno.ts';
import { type Mac, macFromBytes } from '#net/mac.ts';

const ioctl: (fd: number, request: number, bytes: Uint8Array) => number = koffi
  .load(null)
  .func('int ioctl(int fd, ulong request, _Inout_ uint8_t *bytes)');

const SIOCGIFFLAGS = 0x8913;
const SIOCGIFMTU = 0x8921;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;

/** `struct ifreq`: a name of 16 bytes with its NUL, then a union. */
const NAME = 16;
const request = new Uint8Array(40);
const view = new DataView(request.buffer);
const utf8 = new TextEncoder();

const IFF_UP = 1;
const IFF_RUNNING = 0x40;

/** `struct sockaddr`: what kind of hardware it is, then its address. */
const ARPHRD_ETHER = 1;

/** Undefined if there is none of this name. @throws SystemError */
export function interfaceIndex(fd: number, name: string): number | undefined {
  return ask(fd, SIOCGIFINDEX, name) ? view.getInt32(NAME, true) : undefined;
}

/** Undefined if there is none of this name. @throws SystemError */
export function interfaceIsUp(fd: number, name: string): boolean | undefined {
  return ask(fd, SIOCGIFFLAGS, name) ? (view.getUint16(NAME, true) & IFF_UP) !== 0 : undefined;
}

/** Whether what it sends arrives at its other end (RFC 2863 operational state); undefined if there is none of this name. @throws SystemError */
export function interfaceIsRunning(fd: number, name: string): boolean | undefined {
  return ask(fd, SIOCGIFFLAGS, name) ? (view.getUint16(NAME, true) & IFF_RUNNING) !== 0 : undefined;
}

/** Bytes; undefined if there is none of this name. @throws SystemError */
export function interfaceMtu(fd: number, name: string): number | undefined {
  return ask(fd, SIOCGIFMTU, name) ? view.getInt32(NAME, true) : undefined;
}

/** Undefined if there is none of this name, or it is no Ethernet. @throws SystemError */
export function interfaceMac(fd: number, name: string): Mac | undefined {
  if (!ask(fd, SIOCGIFHWADDR, name) || view.getUint16(NAME, true) !== ARPHRD_ETHER) return undefined;
  return macFromBytes(request.subarray(NAME + 2, NAME + 8));
}

/** False if there is none of this name. */
function ask(fd: number, what: number, name: string): boolean {
  request.fill(0);
  const { read } = utf8.encodeInto(name, request.subarray(0, NAME - 1));
  if (read < name.length) return false;
  const result = ioctl(fd, what, request);
  if (result < 0 && errnoName(lastErrno()) === 'ENODEV') return false;
  checked(result, 'ioctl', `read the interface ${name}`);
  return true;
}
