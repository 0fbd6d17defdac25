/** Sockets by descriptor, for what Node's own cannot express. Descriptors are close-on-exec. */

import * as C from '#kernel/ffi/constants.ts';
import { checked } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';
import { type Addr, addrBytes, familyOf } from '#net/addr.ts';

/** Who is at the other end of a connected unix socket (SO_PEERCRED, unix(7)): as it was when the connection was made. */
export interface PeerCred {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** @throws SystemError if the descriptor is no connected unix socket. */
export function peerCred(fd: number): PeerCred {
  ucredLength[0] = ucred.length;
  checked(libc.getsockopt(fd, C.SOL_SOCKET, C.SO_PEERCRED, ucred, ucredLength), 'getsockopt', 'read SO_PEERCRED');
  return {
    pid: ucredView.getInt32(0, true),
    uid: ucredView.getUint32(4, true),
    gid: ucredView.getUint32(8, true),
  };
}

/** `struct ucred`, read before the next call. */
const ucred = new Uint8Array(12);
const ucredView = new DataView(ucred.buffer);
const ucredLength = new Uint32Array(1);

/**
 * What names the network namespace of the socket, as long as the machine runs (SO_NETNS_COOKIE). An accepted unix socket
 * belongs to its peer's namespace. Undefined before Linux 5.14.
 */
export function netnsCookie(fd: number): bigint | undefined {
  cookieLength[0] = cookie.byteLength;
  if (libc.getsockopt(fd, C.SOL_SOCKET, C.SO_NETNS_COOKIE, cookieBytes, cookieLength) < 0) return undefined;
  return cookie[0];
}

const cookie = new BigUint64Array(1);
const cookieBytes = new Uint8Array(cookie.buffer);
const cookieLength = new Uint32Array(1);

/** `netnsCookie` of the namespace that this thread is in. @throws SystemError */
export function ownNetnsCookie(): bigint | undefined {
  const fd = checked(libc.socket(C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0), 'socket', 'make a unix socket');
  try {
    return netnsCookie(fd);
  } finally {
    libc.close(fd);
  }
}

/** A socket option whose value is an int. @throws SystemError */
export function setIntOption(fd: number, level: number, option: number, value: number, what: string): void {
  intValue[0] = value;
  checked(libc.setsockopt(fd, level, option, intBytes, 4), 'setsockopt', `set ${what}`);
}

const intValue = new Int32Array(1);
const intBytes = new Uint8Array(intValue.buffer);

/** `struct sockaddr_in` or `sockaddr_in6`. */
function sockaddr(addr: Addr, port: number): Uint8Array {
  const v4 = familyOf(addr) === 4;
  const bytes = new Uint8Array(v4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, v4 ? C.AF_INET : C.AF_INET6, true);
  view.setUint16(2, port);
  bytes.set(addrBytes(addr), v4 ? 4 : 8);
  return bytes;
}

/**
 * A TCP socket that listens at the address, in the network namespace that the thread is in. Port 0: the kernel chooses.
 * Hand it to Node with `server.listen({ fd })`. @throws SystemError (EADDRINUSE, EADDRNOTAVAIL, …)
 */
export function listenTcp(addr: Addr, port: number, backlog = 511): number {
  const what = `listen on ${familyOf(addr) === 4 ? addr : `[${addr}]`}:${port}`;
  const family = familyOf(addr) === 4 ? C.AF_INET : C.AF_INET6;
  const type = C.SOCK_STREAM | C.SOCK_CLOEXEC | C.SOCK_NONBLOCK;
  const fd = checked(libc.socket(family, type, 0), 'socket', what);
  try {
    setIntOption(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1, 'SO_REUSEADDR');
    if (family === C.AF_INET6) setIntOption(fd, C.IPPROTO_IPV6, C.IPV6_V6ONLY, 1, 'IPV6_V6ONLY');
    const name = sockaddr(addr, port);
    checked(libc.bind(fd, name, name.length), 'bind', what);
    checked(libc.listen(fd, backlog), 'listen', what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** A TCP socket, not yet connected, of the network namespace that the thread is in: for `new net.Socket({ fd })`. */
export function makeTcp(family: 4 | 6): number {
  const type = C.SOCK_STREAM | C.SOCK_CLOEXEC | C.SOCK_NONBLOCK;
  return checked(libc.socket(family === 4 ? C.AF_INET : C.AF_INET6, type, 0), 'socket', 'make a TCP socket');
}

/**
 * A UDP socket between two addresses, of the network namespace that the thread is in and by this interface only.
 * Sends with `sendBytes`. @throws SystemError (EADDRNOTAVAIL: the local address is not there)
 */
export function connectUdp(local: Endpoint, remote: Endpoint, ifname: string): number {
  const what = `send from ${local.addr}:${local.port} to ${remote.addr}:${remote.port}`;
  const type = C.SOCK_DGRAM | C.SOCK_CLOEXEC | C.SOCK_NONBLOCK;
  const fd = checked(libc.socket(C.AF_INET, type, 0), 'socket', what);
  try {
    setIntOption(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1, 'SO_REUSEADDR');
    const device = new TextEncoder().encode(`${ifname}\0`);
    checked(libc.setsockopt(fd, C.SOL_SOCKET, C.SO_BINDTODEVICE, device, device.length), 'setsockopt', what);
    const [from, to] = [sockaddr(local.addr, local.port), sockaddr(remote.addr, remote.port)];
    checked(libc.bind(fd, from, from.length), 'bind', what);
    checked(libc.connect(fd, to, to.length), 'connect', what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

export interface Endpoint {
  readonly addr: Addr;
  readonly port: number;
}

/** @throws SystemError */
export function sendBytes(fd: number, bytes: Uint8Array): void {
  checked(libc.send(fd, bytes, bytes.length, C.MSG_DONTWAIT), 'send', 'send a datagram');
}

/** Closes a descriptor. One that is closed already is no error. */
export function closeFd(fd: number): void {
  libc.close(fd);
}
