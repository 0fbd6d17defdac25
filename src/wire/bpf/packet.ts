/** What the programs for tc share: where they keep the packet and their stack, the kernel's helpers, writing to a packet. */

import { alu, aluReg, call, type Line, type Register } from '#wire/bpf/assemble.ts';

/** Helpers (linux/bpf.h, __BPF_FUNC_MAPPER). */
export const HELPER = {
  mapLookup: 1,
  random: 7,
  storeBytes: 9,
  redirect: 23,
  adjustRoom: 50,
  redirectNeigh: 152,
  redirectPeer: 155,
} as const;

/** ETH_P_IP as it is read: the bytes 08 00, the low one first. */
export const IPV4 = 0x0008;

/** Holds the packet (struct __sk_buff) from the first line on, over all calls. */
export const PACKET: Register = 6;
/** The end of the stack; places on it are below zero. */
export const STACK: Register = 10;

/** Writes bytes of the stack into the packet. Pointers into it that were checked before are no longer valid after it. */
export function storeBytes(offset: number, from: number, length: number): Line[] {
  return [
    aluReg(1, '=', PACKET),
    alu(2, '=', offset),
    aluReg(3, '=', STACK),
    alu(3, '+', from),
    alu(4, '=', length),
    alu(5, '=', 0),
    call(HELPER.storeBytes),
  ];
}
