/** Files of ConfigMaps and the like, replaced all at once (Kubernetes: `pkg/volume/util/atomic_writer.go`). */

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** By path inside the volume. */
export type Payload = ReadonlyMap<string, { readonly bytes: Buffer; readonly mode: number }>;

const DATA = '..data';

/**
 * Real files lie in a folder named by the time; `..data` points to it and each visible name into `..data`, so that one
 * rename changes them all. Gives false if nothing changed. @throws RangeError for a path that leaves the volume
 */
export function writeAtomically(folder: string, payload: Payload): boolean {
  for (const path of payload.keys()) checkPath(path);
  if (isSame(folder, payload)) return false;
  const version = `..${new Date().toISOString().replace(/[-:.]/g, '_')}`;
  for (const [path, { bytes, mode }] of payload) {
    mkdirSync(dirname(join(folder, version, path)), { recursive: true });
    writeFileSync(join(folder, version, path), bytes, { mode });
  }
  mkdirSync(join(folder, version), { recursive: true });
  const before = target(join(folder, DATA));
  rmSync(join(folder, '..data_tmp'), { force: true });
  symlinkSync(version, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, DATA));
  linkNames(folder, payload);
  if (before !== undefined) rmSync(join(folder, before), { recursive: true, force: true });
  return true;
}

function checkPath(path: string): void {
  const parts = normalize(path).split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts[0]?.startsWith('..')) {
    throw new RangeError(`Cannot write "${path}": it leaves the volume`);
  }
}

/** Only the first part of each path gets a link. */
function linkNames(folder: string, payload: Payload): void {
  const names = new Set(Array.from(payload.keys(), (path) => normalize(path).split('/')[0] ?? ''));
  for (const name of names) {
    if (target(join(folder, name)) === undefined) symlinkSync(join(DATA, name), join(folder, name));
  }
  for (const name of readdirSync(folder)) {
    if (!name.startsWith('..') && !names.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function target(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function isSame(folder: string, payload: Payload): boolean {
  if (target(join(folder, DATA)) === undefined) return false;
  const files = readdirSync(join(folder, DATA), { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  if (files.length !== payload.size) return false;
  return [...payload].every(([path, { bytes }]) => {
    try {
      return readFileSync(join(folder, DATA, path)).equals(bytes);
    } catch {
      return false;
    }
  });
}
