/** Small tars for tests, made by hand. */

import { BLOCK, padding } from '#lab/images/tar.ts';

export interface FixtureEntry {
  readonly path: string;
  readonly type?: '0' | '1' | '2' | '5' | 'x' | 'L';
  readonly text?: string;
  readonly target?: string;
  readonly mode?: number;
}

function header(entry: FixtureEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(entry.path.slice(0, 100), 0);
  block.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write(entry.type ?? '0', 156);
  block.write(entry.target ?? '', 157);
  block.write('ustar\0', 257);
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export function tarOf(entries: readonly FixtureEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const bytes = Buffer.from(entry.text ?? '');
    return [header(entry, bytes.length), bytes, Buffer.alloc(padding(bytes.length))];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
