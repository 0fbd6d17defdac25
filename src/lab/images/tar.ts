/**
 * Reading tar archives (POSIX.1-1988 ustar, pax headers of POSIX.1-2001, GNU long names): headers as values, contents
 * by position or as they pass by.
 */

export interface TarEntry {
  readonly path: string;
  readonly type: 'file' | 'folder' | 'link' | 'hardlink' | 'other';
  /** Of a link. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
}

export const BLOCK = 512;
/** Of one pax header or GNU name: more is an attack or garbage. */
const META_MAX = 1 << 20;

const TYPES: Readonly<Record<string, TarEntry['type']>> = {
  '0': 'file',
  '': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'link',
  '5': 'folder',
};

type Meta = Map<string, string>;

/** A header block as it stands; undefined for the zero block at the end. @throws SyntaxError if it is none */
export function readHeader(block: Buffer): { readonly flag: string; readonly entry: TarEntry } | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (number(block, 148, 8) !== sum) throw new SyntaxError('Cannot read the tar: a header has a wrong checksum');
  const flag = text(block, 156, 1);
  const isUstar = text(block, 257, 5) === 'ustar';
  const prefix = isUstar ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const entry = {
    path: prefix === '' ? name : `${prefix}/${name}`,
    type: TYPES[flag] ?? 'other',
    target: text(block, 157, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
  };
  if (entry.size < 0) throw new SyntaxError(`Cannot read the tar: ${entry.path} has a negative size`);
  return { flag, entry };
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
}

/** Octal text, or GNU's binary form with the first bit set. */
function number(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) === 0) {
    const digits = text(block, at, length).trim();
    if (digits !== '' && !/^[0-7]+$/.test(digits)) throw new SyntaxError('Cannot read the tar: a number is not octal');
    return digits === '' ? 0 : Number.parseInt(digits, 8);
  }
  const value = field.subarray(1).reduce((total, byte) => total * 256 + byte, 0);
  if (!Number.isSafeInteger(value)) throw new SyntaxError('Cannot read the tar: a number is too large');
  return value;
}

/** Records of a pax header: "27 path=some/long/name\n". @throws SyntaxError */
export function readPax(bytes: Buffer): Meta {
  const records: Meta = new Map();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = Number(bytes.subarray(at, space < 0 ? bytes.length : space).toString('latin1'));
    if (space < 0 || !Number.isInteger(length) || length <= space - at + 1 || at + length > bytes.length) {
      throw new SyntaxError('Cannot read the tar: a pax record is damaged');
    }
    const record = bytes.subarray(space + 1, at + length - 1).toString('utf8');
    const equals = record.indexOf('=');
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

function withMeta(entry: TarEntry, meta: Meta): TarEntry {
  const size = meta.get('size');
  return {
    ...entry,
    path: meta.get('path') ?? entry.path,
    target: meta.get('linkpath') ?? entry.target,
    size: size === undefined ? entry.size : Number(size),
    uid: Number(meta.get('uid') ?? entry.uid),
    gid: Number(meta.get('gid') ?? entry.gid),
  };
}

/** Bytes on demand, from a file or a stream. */
export interface ByteSource {
  /** The next `length` bytes, fewer only at the end. */
  take(length: number): Promise<Buffer>;
  skip(length: number): Promise<void>;
}

export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/**
 * Entries in order. The caller must consume exactly `entry.size` bytes of content from the source before it asks for
 * the next; padding is skipped here. @throws SyntaxError for what is no tar, or is cut off
 */
export async function* tarEntries(source: ByteSource): AsyncGenerator<TarEntry> {
  const meta: Meta = new Map();
  for (;;) {
    const block = await source.take(BLOCK);
    if (block.length === 0) return;
    if (block.length < BLOCK) throw new SyntaxError('Cannot read the tar: it is cut off');
    const header = readHeader(block);
    if (header === undefined) return;
    const { flag, entry } = header;
    if ('xgLK'.includes(flag) && flag !== '') {
      const bytes = await metaBytes(source, entry.size);
      if (flag === 'x') for (const [key, value] of readPax(bytes)) meta.set(key, value);
      else if (flag !== 'g') meta.set(flag === 'L' ? 'path' : 'linkpath', bytes.toString('utf8').replace(/\0.*$/s, ''));
      continue;
    }
    const whole = withMeta(entry, meta);
    meta.clear();
    if (!Number.isSafeInteger(whole.size) || whole.size < 0)
      throw new SyntaxError(`Cannot read the tar: size of ${whole.path}`);
    yield whole;
    await source.skip(padding(whole.size));
  }
}

async function metaBytes(source: ByteSource, size: number): Promise<Buffer> {
  if (size > META_MAX) throw new SyntaxError('Cannot read the tar: a name is too long');
  const bytes = await source.take(size);
  if (bytes.length < size) throw new SyntaxError('Cannot read the tar: it is cut off');
  await source.skip(padding(size));
  return bytes;
}
