/**
 * eBPF instructions as values, and their bytes. Source: linux/bpf.h, Documentation/bpf/standardization/instruction-set.
 * Small programs are written with it directly, so that no compiler is needed where Polder runs.
 */

/** 0 result, 1 to 5 arguments (lost by a call), 6 to 9 kept, 10 the stack's end. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** Bits of a memory access. */
export type Width = 8 | 16 | 32 | 64;

export type Comparison = '==' | '!=' | '>' | '<=' | '<';

/** One instruction (of 8 bytes, with `wide` of 16), or a place that jumps lead to. */
export type Line =
  | { readonly label: string }
  | {
      readonly code: number;
      readonly dst?: Register;
      readonly src?: number;
      /** A number, or the label that a jump leads to. */
      readonly off?: number | string;
      /** 32 bits, signed or not. */
      readonly imm?: number;
      readonly wide?: true;
    };

const SIZE = { 8: 0x10, 16: 0x08, 32: 0x00, 64: 0x18 } as const;
const JUMP = { '==': 0x10, '>': 0x20, '!=': 0x50, '<': 0xa0, '<=': 0xb0 } as const;
const ALU = { '+': 0x00, '-': 0x10, '|': 0x40, '&': 0x50, '<<': 0x60, '>>': 0x70, '=': 0xb0 } as const;
const BPF_PSEUDO_MAP_FD = 1;

/** `dst OP= imm`, in 64 bits. */
export function alu(dst: Register, op: keyof typeof ALU, imm: number): Line {
  return { code: 0x07 | ALU[op], dst, imm };
}

/** `dst OP= src`, in 64 bits. */
export function aluReg(dst: Register, op: keyof typeof ALU, src: Register): Line {
  return { code: 0x0f | ALU[op], dst, src };
}

/** `dst = *(src + off)`, the rest of `dst` zero. */
export function load(width: Width, dst: Register, src: Register, off: number): Line {
  return { code: 0x61 | SIZE[width], dst, src, off };
}

/** `*(dst + off) = src`. */
export function store(width: Width, dst: Register, off: number, src: Register): Line {
  return { code: 0x63 | SIZE[width], dst, src, off };
}

/** `*(dst + off) = imm`. */
export function storeImm(width: Width, dst: Register, off: number, imm: number): Line {
  return { code: 0x62 | SIZE[width], dst, off, imm };
}

/** `if (dst OP imm) goto label`. */
export function jump(dst: Register, op: Comparison, imm: number, label: string): Line {
  return { code: 0x05 | JUMP[op], dst, imm, off: label };
}

/** `if (dst OP src) goto label`. */
export function jumpReg(dst: Register, op: Comparison, src: Register, label: string): Line {
  return { code: 0x0d | JUMP[op], dst, src, off: label };
}

/** `if ((u32)dst OP (u32)imm) goto label`. */
export function jump32(dst: Register, op: Comparison, imm: number, label: string): Line {
  return { code: 0x06 | JUMP[op], dst, imm, off: label };
}

export function goto(label: string): Line {
  return { code: 0x05, off: label };
}

/** `dst =` the map of this descriptor. */
export function loadMap(dst: Register, fd: number): Line {
  return { code: 0x18, dst, src: BPF_PSEUDO_MAP_FD, imm: fd, wide: true };
}

/** Calls the helper of this number; the result is in register 0. */
export function call(helper: number): Line {
  return { code: 0x85, imm: helper };
}

export const exit: Line = { code: 0x95 };

/** @throws RangeError for a label that is not there, or too far. */
export function assemble(lines: readonly Line[]): Uint8Array {
  const labels = placesOf(lines);
  const bytes = new Uint8Array(8 * [...labels.values(), lengthOf(lines)].reduce((a, b) => Math.max(a, b)));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const line of lines) {
    if ('label' in line) continue;
    const off = typeof line.off === 'string' ? distance(labels, line.off, at) : (line.off ?? 0);
    view.setUint8(8 * at, line.code);
    view.setUint8(8 * at + 1, (line.dst ?? 0) | ((line.src ?? 0) << 4));
    view.setInt16(8 * at + 2, off, true);
    view.setInt32(8 * at + 4, line.imm ?? 0, true);
    at += line.wide ? 2 : 1;
  }
  return bytes;
}

function placesOf(lines: readonly Line[]): Map<string, number> {
  return new Map(lines.flatMap((line, i) => ('label' in line ? [[line.label, lengthOf(lines.slice(0, i))]] : [])));
}

/** In units of 8 bytes. */
function lengthOf(lines: readonly Line[]): number {
  return lines.reduce((sum, line) => sum + ('label' in line ? 0 : line.wide ? 2 : 1), 0);
}

function distance(labels: ReadonlyMap<string, number>, label: string, at: number): number {
  const place = labels.get(label);
  if (place === undefined) throw new RangeError(`Cannot jump to "${label}": there is no such label`);
  const off = place - at - 1;
  if (off < -32768 || off > 32767) throw new RangeError(`Cannot jump to "${label}": it is ${off} instructions away`);
  return off;
}
