/** A packet(7) socket: IPv4 packets of one interface, also for who has no address yet. */

import koffi from 'koffi';
import * as C from '#kernel/ffi/constants.ts';
import { checked, lastErrno } from '#kernel/ffi/errno.ts';
import * as libc from '#kernel/ffi/libc.ts';

const ETH_P_IP = 0x0800;
const EAGAIN = 11;
const ENETDOWN = 100;

const buffer = new Uint8Array(64 * 1024);

/** `struct sockaddr_ll` for IPv4 on an interface; `mac` is whom to send to. */
function sockaddrLl(ifindex: number, mac: Uint8Array = new Uint8Array(6)): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, C.AF_PACKET, true);
  view.setUint16(2, ETH_P_IP);
  view.setInt32(4, ifindex, true);
  bytes[11] = mac.length;
  bytes.set(mac, 12);
  return bytes;
}

/**
 * A socket of the network namespace that the thread is in, which gets the unfragmented UDP packets to this port that
 * the interface hears, from the IP header on. @throws SystemError (ENODEV: there is no such interface)
 */
export function openPacketSocket(ifindex: number, port: number): number {
  const what = 'open a packet socket';
  const type = C.SOCK_DGRAM | C.SOCK_CLOEXEC | C.SOCK_NONBLOCK;
  // Without a protocol nothing comes before the filter is in place.
  const fd = checked(libc.socket(C.AF_PACKET, type, 0), 'socket', what);
  try {
    attachFilter(fd, udpTo(port));
    const name = sockaddrLl(ifindex);
    checked(libc.bind(fd, name, name.length), 'bind', what);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** @param packet from the IP header on @throws SystemError (ENETDOWN: the interface is down) */
export function sendPacket(fd: number, ifindex: number, mac: Uint8Array, packet: Uint8Array): void {
  const to = sockaddrLl(ifindex, mac);
  checked(libc.sendto(fd, packet, packet.length, 0, to, to.length), 'sendto', 'send a packet');
}

/** Valid until the next call; undefined if nothing is there. @throws SystemError */
export function receivePacket(fd: number): Uint8Array | undefined {
  const length = libc.recv(fd, buffer, buffer.length, C.MSG_DONTWAIT);
  // An interface that went down says so once.
  if (length < 0 && [EAGAIN, ENETDOWN].includes(lastErrno())) return undefined;
  return buffer.subarray(0, checked(length, 'recv', 'receive a packet'));
}

/** One instruction of classic BPF (linux/filter.h): code, jumps if true and if false, operand. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number];

/** As `tcpdump -dd 'udp dst port …'` makes it, with offsets from the IP header. */
function udpTo(port: number): readonly Instruction[] {
  return [
    [0x30, 0, 0, 9], // ldb [9], the protocol
    [0x15, 0, 6, 17], // jeq UDP
    [0x28, 0, 0, 6], // ldh [6], fragment
    [0x45, 4, 0, 0x1fff], // jset offset
    [0xb1, 0, 0, 0], // ldxb 4*([0]&0xf)
    [0x48, 0, 0, 2], // ldh [x+2], destination port
    [0x15, 0, 1, port],
    [0x06, 0, 0, 0xffff], // accept
    [0x06, 0, 0, 0], // drop
  ];
}

const INSTRUCTION = 8;
/** `struct sock_fprog` holds the address of the program: memory outside of JavaScript's. The kernel copies it. */
const ROOM = 16 * INSTRUCTION;
const memory = koffi.alloc('uint8_t', ROOM);
const view = new DataView(koffi.view(memory, ROOM));

function attachFilter(fd: number, program: readonly Instruction[]): void {
  for (const [i, [code, jt, jf, k]] of program.entries()) {
    view.setUint16(INSTRUCTION * i, code, true);
    view.setUint8(INSTRUCTION * i + 2, jt);
    view.setUint8(INSTRUCTION * i + 3, jf);
    view.setUint32(INSTRUCTION * i + 4, k, true);
  }
  const fprog = new DataView(new ArrayBuffer(16));
  fprog.setUint16(0, program.length, true);
  fprog.setBigUint64(8, BigInt(koffi.address(memory)), true);
  const value = new Uint8Array(fprog.buffer);
  checked(libc.setsockopt(fd, C.SOL_SOCKET, C.SO_ATTACH_FILTER, value, 16), 'setsockopt', 'attach a filter');
}
