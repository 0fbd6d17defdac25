/** The system call bpf(2): maps, programs, links. Every function is one command of it. */

import koffi from 'koffi';
import { checked, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';

const syscall: (number: number, command: number, attr: unknown, size: number) => number = koffi
  .load(null)
  .func('long syscall(long number, long command, void *attr, long size)');

/** __NR_bpf, by process.arch. */
const NUMBERS: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };
const COMMAND = { mapCreate: 0, lookup: 1, update: 2, remove: 3, nextKey: 4, progLoad: 5, linkCreate: 28 } as const;
/** Enumerators of linux/bpf.h. */
const BPF_MAP_TYPE_HASH = 1;
const BPF_MAP_TYPE_LPM_TRIE = 11;
const BPF_F_NO_PREALLOC = 1;
const BPF_PROG_TYPE_SCHED_CLS = 3;
const BPF_TCX_INGRESS = 46;

/** Memory outside of JavaScript's, since the kernel wants addresses: attributes first, then what they point to. */
const ATTR = 128;
const SLOT = 4096;
const LOG = 65_536;
const memory = koffi.alloc('uint8_t', ATTR + 3 * SLOT + LOG);
const base = BigInt(koffi.address(memory));
const bytes = new Uint8Array(koffi.view(memory, ATTR + 3 * SLOT + LOG));
const view = new DataView(bytes.buffer);

function run(command: keyof typeof COMMAND, size: number): number {
  const number = NUMBERS[process.arch];
  if (number === undefined) throw new SystemError('bpf', 38, `use eBPF on ${process.arch}`);
  return syscall(number, COMMAND[command], memory, size);
}

function begin(...numbers: readonly number[]): void {
  bytes.fill(0, 0, ATTR);
  for (const [i, value] of numbers.entries()) view.setUint32(4 * i, value, true);
}

/** Puts the bytes into a slot and its address into the attribute. */
function point(offset: number, slot: 0 | 1 | 2, data: Uint8Array): void {
  if (data.length > SLOT) throw new RangeError(`Cannot pass ${data.length} bytes to bpf(2): ${SLOT} at most`);
  const place = ATTR + slot * SLOT;
  bytes.fill(0, place, place + SLOT);
  bytes.set(data, place);
  view.setBigUint64(offset, base + BigInt(place), true);
}

function slot(index: 0 | 1 | 2, length: number): Uint8Array {
  return bytes.slice(ATTR + index * SLOT, ATTR + index * SLOT + length);
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

export interface MapShape {
  readonly kind: 'hash' | 'lpm';
  /** At most 15 letters. */
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly entries: number;
}

/** @returns its descriptor, closed at exec. @throws SystemError */
export function createMap({ kind, name, keySize, valueSize, entries }: MapShape): number {
  const type = kind === 'hash' ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_LPM_TRIE;
  begin(type, keySize, valueSize, entries, kind === 'lpm' ? BPF_F_NO_PREALLOC : 0);
  bytes.set(ascii(name).subarray(0, 15), 28);
  return checked(run('mapCreate', 72), 'bpf', `make the eBPF map ${name}`);
}

/** Undefined if there is no such key. @throws SystemError */
export function lookupElement(map: number, key: Uint8Array, valueSize: number): Uint8Array | undefined {
  begin(map);
  point(8, 0, key);
  point(16, 1, new Uint8Array());
  if (run('lookup', 32) === 0) return slot(1, valueSize);
  return nothing('look up an entry of an eBPF map');
}

/** @throws SystemError */
export function updateElement(map: number, key: Uint8Array, value: Uint8Array): void {
  begin(map);
  point(8, 0, key);
  point(16, 1, value);
  checked(run('update', 32), 'bpf', 'change an entry of an eBPF map');
}

/** False if there is no such key. @throws SystemError */
export function deleteElement(map: number, key: Uint8Array): boolean {
  begin(map);
  point(8, 0, key);
  return run('remove', 32) === 0 || nothing('delete an entry of an eBPF map') !== undefined;
}

/** Every key. @throws SystemError */
export function keysOf(map: number, keySize: number): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (;;) {
    begin(map);
    const last = keys.at(-1);
    if (last) point(8, 0, last);
    point(16, 1, new Uint8Array());
    if (run('nextKey', 32) !== 0) {
      nothing('list an eBPF map');
      return keys;
    }
    keys.push(slot(1, keySize));
  }
}

function nothing(what: string): undefined {
  const error = new SystemError('bpf', lastErrno(), what);
  if (error.code !== 'ENOENT') throw error;
}

/** A program of type SCHED_CLS. @throws Error with the verifier's words if the kernel refuses it. */
export function loadProgram(name: string, instructions: Uint8Array): number {
  begin(BPF_PROG_TYPE_SCHED_CLS, instructions.length / 8);
  point(8, 0, instructions);
  point(16, 1, ascii('Apache-2.0\0'));
  bytes.set(ascii(name).subarray(0, 15), 48);
  const fd = run('progLoad', 72);
  if (fd >= 0) return fd;
  const refused = new SystemError('bpf', lastErrno(), `load the eBPF program ${name}`);
  view.setUint32(24, 1, true);
  view.setUint32(28, LOG, true);
  view.setBigUint64(32, base + BigInt(ATTR + 3 * SLOT), true);
  const again = run('progLoad', 72);
  if (again >= 0) closeFd(again);
  throw new Error(`${refused.message}: ${lastLines(new TextDecoder().decode(bytes.subarray(ATTR + 3 * SLOT)))}`, {
    cause: refused,
  });
}

function lastLines(log: string): string {
  return log
    .slice(0, Math.max(0, log.indexOf('\0')))
    .trim()
    .split('\n')
    .slice(-4)
    .join(' / ');
}

/**
 * Attaches a program to what an interface receives, after those that are there. It stays as long as the descriptor.
 * @throws SystemError (EINVAL: the kernel is older than 6.6; ENODEV)
 */
export function attachIngress(program: number, ifindex: number): number {
  begin(program, ifindex, BPF_TCX_INGRESS, 0);
  return checked(run('linkCreate', 32), 'bpf', `attach an eBPF program to interface ${ifindex}`);
}
