/** The system call bpf(2): maps, programs, where they are attached. Interfaces are those of the thread's own network namespace. */

import { constants } from 'node:os';
import koffi from 'koffi';
import { checked, lastErrno, SystemError } from '#kernel/ffi/errno.ts';
import { withoutSignals } from '#kernel/ffi/signals.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';

const syscall: (number: number, command: number, attr: unknown, size: number) => number = koffi
  .load(null)
  .func('long syscall(long number, long command, void *attr, long size)');

/** __NR_bpf, by process.arch. */
const NUMBERS: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };
const COMMAND = {
  mapCreate: 0,
  lookup: 1,
  update: 2,
  remove: 3,
  nextKey: 4,
  progLoad: 5,
  progAttach: 8,
  progDetach: 9,
  progById: 13,
  infoByFd: 15,
  progQuery: 16,
  linkCreate: 28,
} as const;
/** Enumerators of linux/bpf.h. */
const BPF_MAP_TYPE_HASH = 1;
const BPF_MAP_TYPE_LPM_TRIE = 11;
const BPF_F_NO_PREALLOC = 1;
const BPF_PROG_TYPE_SCHED_CLS = 3;
/** BPF_TCX_INGRESS, BPF_TCX_EGRESS: where packets come in by an interface, and where they leave by it (Linux 6.6). */
const TCX = { ingress: 46, egress: 47 } as const;
const BPF_F_REPLACE = 4;
/** Programs at one place that are read. */
const PLACE_LIMIT = 64;
/** Of struct bpf_prog_info, as far as its name, which lies at NAME. */
const INFO = 80;
const NAME = 64;

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

/** As libbpf has it: the kernel may have other things than signals that it breaks the verifier off for. */
const LOAD_ATTEMPTS = 5;

/** A program of type SCHED_CLS. @throws Error with the verifier's words if the kernel refuses it. */
export function loadProgram(name: string, instructions: Uint8Array): number {
  begin(BPF_PROG_TYPE_SCHED_CLS, instructions.length / 8);
  point(8, 0, instructions);
  point(16, 1, ascii('Apache-2.0\0'));
  bytes.set(ascii(name).subarray(0, 15), 48);
  // A signal that comes meanwhile (a child that ends) would break the verifier off: EAGAIN.
  const load = () => withoutSignals(() => ({ fd: run('progLoad', 72), errno: lastErrno() }));
  let { fd, errno } = load();
  for (let i = 1; i < LOAD_ATTEMPTS && fd < 0 && errno === constants.errno.EAGAIN; i++) ({ fd, errno } = load());
  if (fd >= 0) return fd;
  const refused = new SystemError('bpf', errno, `load the eBPF program ${name}`);
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
  begin(program, ifindex, TCX.ingress, 0);
  return checked(run('linkCreate', 32), 'bpf', `attach an eBPF program to interface ${ifindex}`);
}

export type TcxPlace = keyof typeof TCX;

/** A program that is attached without a descriptor that holds it: it stays until it is detached or the interface goes. */
export interface Attached {
  readonly id: number;
  /** At most 15 letters. */
  readonly name: string;
}

/** In the order in which packets meet them. @throws SystemError (EINVAL: the kernel is older than 6.6; ENODEV) */
export function attachedPrograms(ifindex: number, place: TcxPlace): Attached[] {
  begin(ifindex, TCX[place]);
  point(16, 0, new Uint8Array());
  view.setUint32(24, PLACE_LIMIT, true);
  const asked = run('progQuery', 64);
  // Nothing has ever been attached there.
  if (asked !== 0 && lastErrno() === constants.errno.ENOENT) return [];
  checked(asked, 'bpf', `list the eBPF programs of interface ${ifindex}`);
  const ids = new DataView(slot(0, 4 * view.getUint32(24, true)).buffer);
  return Array.from({ length: ids.byteLength / 4 }, (_, i) => ids.getUint32(4 * i, true)).flatMap(programOf);
}

/** None if it has gone meanwhile. */
function programOf(id: number): Attached[] {
  const fd = openProgram(id);
  if (fd === undefined) return [];
  try {
    begin(fd, INFO);
    point(8, 0, new Uint8Array());
    checked(run('infoByFd', 16), 'bpf', `read the eBPF program ${id}`);
    const name = slot(0, INFO).subarray(NAME);
    return [{ id, name: new TextDecoder().decode(name.subarray(0, name.indexOf(0))) }];
  } finally {
    closeFd(fd);
  }
}

function openProgram(id: number): number | undefined {
  begin(id);
  const fd = run('progById', 12);
  return fd >= 0 ? fd : nothing(`open the eBPF program ${id}`);
}

/** Attaches a program, in the very place of `old` or else after those that are there. @throws SystemError (EINVAL, ENODEV) */
export function attachProgram(program: number, ifindex: number, place: TcxPlace, old?: Attached): void {
  const replaced = old && openProgram(old.id);
  try {
    begin(ifindex, program, TCX[place], replaced === undefined ? 0 : BPF_F_REPLACE, replaced ?? 0);
    checked(run('progAttach', 32), 'bpf', `attach an eBPF program to interface ${ifindex}`);
  } finally {
    if (replaced !== undefined) closeFd(replaced);
  }
}

/** Nothing happens if it is not there. @throws SystemError */
export function detachProgram({ id }: Attached, ifindex: number, place: TcxPlace): void {
  const program = openProgram(id);
  if (program === undefined) return;
  try {
    begin(ifindex, program, TCX[place]);
    if (run('progDetach', 32) !== 0) nothing(`detach the eBPF program ${id} from interface ${ifindex}`);
  } finally {
    closeFd(program);
  }
}
