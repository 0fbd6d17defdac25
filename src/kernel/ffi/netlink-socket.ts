/** A netlink socket of the network namespace that the thread is in. */

import * as C from '#kernel/ffi/constants.ts';
import { checked, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';
import { setIntOption } from '#kernel/ffi/sockets.ts';

/** The kernel fills datagrams of a dump up to 32 KiB if the reader has room for them. */
const DATAGRAM = 64 * 1024;
/** Room for the answers to a whole batch, or for a burst of events. Bytes. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** One for all sockets of this thread: what is received is read before the next call. */
const buffer = new Uint8Array(DATAGRAM);
const view = new DataView(buffer.buffer);

/** `struct sockaddr_nl`; the kernel chooses the port. */
const SOCKADDR_NL = Uint8Array.of(C.AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** What was received: valid until the next `receive` on this thread. */
export interface Datagram {
  readonly view: DataView;
  readonly length: number;
}

/** @throws SystemError */
export function openRouteSocket(groups: readonly number[] = []): number {
  return openSocket(C.NETLINK_ROUTE, groups);
}

/** For a few requests; `prepareForMany` makes it a full one. @throws SystemError */
export function openBriefRouteSocket(): number {
  return openBrief(C.NETLINK_ROUTE);
}

/** Room for many answers, refusals that do not repeat the request, and dumps of only what was asked for. @throws SystemError */
export function prepareForMany(fd: number): void {
  setIntOption(fd, C.SOL_NETLINK, C.NETLINK_CAP_ACK, 1, 'NETLINK_CAP_ACK');
  setIntOption(fd, C.SOL_NETLINK, C.NETLINK_GET_STRICT_CHK, 1, 'NETLINK_GET_STRICT_CHK');
  enlargeBuffer(fd);
}

/** @throws SystemError (EPROTONOSUPPORT: the kernel has no netfilter) */
export function openNetfilterSocket(): number {
  return openSocket(C.NETLINK_NETFILTER, []);
}

/** @throws SystemError */
export function openGenericSocket(): number {
  return openSocket(C.NETLINK_GENERIC, []);
}

function openBrief(protocol: number): number {
  const type = C.SOCK_RAW | C.SOCK_CLOEXEC;
  const fd = checked(libc.socket(C.AF_NETLINK, type, protocol), 'socket', 'open a netlink socket');
  try {
    setIntOption(fd, C.SOL_NETLINK, C.NETLINK_EXT_ACK, 1, 'NETLINK_EXT_ACK');
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function openSocket(protocol: number, groups: readonly number[]): number {
  const fd = openBrief(protocol);
  try {
    prepareForMany(fd);
    // Notifications do not reach a socket that has no address yet.
    checked(libc.bind(fd, SOCKADDR_NL, SOCKADDR_NL.length), 'bind', 'bind a netlink socket');
    for (const group of groups) setIntOption(fd, C.SOL_NETLINK, C.NETLINK_ADD_MEMBERSHIP, group, 'a netlink group');
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Who may not change the network may still read it, with the buffer that everybody gets. */
function enlargeBuffer(fd: number): void {
  try {
    setIntOption(fd, C.SOL_SOCKET, C.SO_RCVBUFFORCE, RECEIVE_BUFFER, 'SO_RCVBUFFORCE');
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EPERM') throw error;
  }
}

/** Sends to the kernel, which has done what was asked when this returns. @throws SystemError */
export function sendRequest(fd: number, bytes: Uint8Array): void {
  checked(libc.send(fd, bytes, bytes.length, 0), 'send', 'send a netlink request');
}

/** As `sendRequest`, on a thread of the pool. `bytes` must not change meanwhile. @throws SystemError */
export async function sendRequestAsync(fd: number, bytes: Uint8Array): Promise<void> {
  const { result, errno } = await libc.sendAsync(fd, bytes, bytes.length);
  if (result < 0) throw new SystemError('send', errno, 'send a netlink request');
}

/** Undefined if nothing is there. @throws SystemError (ENOBUFS: events were lost) */
export function receive(fd: number): Datagram | undefined {
  const length = libc.recv(fd, buffer, buffer.length, C.MSG_DONTWAIT | C.MSG_TRUNC);
  if (length < 0 && lastErrno() === EAGAIN) return undefined;
  checked(length, 'recv', 'receive a netlink answer');
  if (length > buffer.length)
    throw new RangeError(`Cannot receive a netlink answer of ${length} bytes: room for ${buffer.length}`);
  return { view, length };
}

const EAGAIN = 11;

/** A descriptor of the network namespace that the socket belongs to. @throws SystemError */
export function netnsOfSocket(fd: number): number {
  return checked(libc.ioctl(fd, C.SIOCGSKNS, 0), 'ioctl', 'open the network namespace of a socket');
}
