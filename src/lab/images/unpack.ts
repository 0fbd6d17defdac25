/**
 * Lays the layers of an image over one another in a folder (OCI image specification, "Image Layer Filesystem
 * Changeset"). Nothing is ever written outside the folder: links in the path of an entry are followed as the image
 * itself would see them, with the folder as `/`.
 */

import { createWriteStream, type Stats } from 'node:fs';
import { chmod, lchown, link, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { StreamSource } from '#lab/images/byte-source.ts';
import { type TarEntry, tarEntries } from '#lab/images/tar.ts';

/** Linux's own limit (path_resolution(7)). */
const LINKS_MAX = 40;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** Applies one layer. @throws SyntaxError for a damaged tar, RangeError for an entry that would leave the folder */
export async function unpackLayer(root: string, source: StreamSource): Promise<void> {
  // Whiteouts speak of the layers below, wherever they stand in this one.
  const made = new Set<string>();
  for await (const entry of tarEntries(source)) {
    const parts = partsOf(entry.path);
    const name = parts.at(-1);
    if (name === undefined) {
      await source.skip(entry.size);
      continue;
    }
    const parent = await folderIn(root, parts.slice(0, -1));
    if (name === OPAQUE) await clear(parent, made);
    else if (name.startsWith(WHITEOUT)) await whiteout(parent, name.slice(WHITEOUT.length));
    else {
      await make(root, join(parent, name), entry, source);
      made.add(join(parent, name));
      continue;
    }
    await source.skip(entry.size);
  }
  await source.drain();
}

/** @throws RangeError for `..` and NUL, which no honest layer has */
export function partsOf(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || path.includes('\0')) throw new RangeError(`Cannot unpack "${path}": it leaves the image`);
  return parts;
}

/** The real folder below `root` that these parts lead to; what is missing is made. @throws RangeError for a loop of links */
export async function folderIn(root: string, parts: readonly string[]): Promise<string> {
  let at: string[] = [];
  const todo = [...parts];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '..') {
      at = at.slice(0, -1);
      continue;
    }
    const path = join(root, ...at, part);
    const about = await look(path);
    if (about?.isSymbolicLink()) {
      if (++links > LINKS_MAX) throw new RangeError(`Cannot unpack "${parts.join('/')}": its links go in a circle`);
      const target = await readlink(path);
      if (target.startsWith('/')) at = [];
      todo.unshift(...target.split('/').filter((p) => p !== '' && p !== '.'));
      continue;
    }
    if (about === undefined) await mkdir(path, { mode: 0o755 });
    else if (!about.isDirectory()) throw new RangeError(`Cannot unpack "${parts.join('/')}": ${part} is no folder`);
    at.push(part);
  }
  return join(root, ...at);
}

async function look(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch {
    return undefined;
  }
}

async function whiteout(parent: string, name: string): Promise<void> {
  if (name === '' || name === '.' || name === '..') throw new RangeError(`Cannot unpack a whiteout of "${name}"`);
  await rm(join(parent, name), { recursive: true, force: true });
}

/** An opaque folder: what lower layers put there is gone, what this one has put there stays. */
async function clear(folder: string, made: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const isOurs = [...made].some((mine) => mine === path || mine.startsWith(`${path}/`));
    if (!isOurs) await rm(path, { recursive: true, force: true });
  }
}

async function make(root: string, path: string, entry: TarEntry, source: StreamSource): Promise<void> {
  const there = await look(path);
  const keeps = entry.type === 'folder' && there?.isDirectory();
  if (there !== undefined && !keeps) await rm(path, { recursive: true, force: true });
  if (entry.type === 'file') {
    await pipeline(source.pieces(entry.size), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
    if ((await lstat(path)).size !== entry.size) throw new SyntaxError('Cannot read the tar: it is cut off');
  } else await source.skip(entry.size);
  if (entry.type === 'folder' && !keeps) await mkdir(path);
  if (entry.type === 'link') await symlink(entry.target, path);
  if (entry.type === 'hardlink') await hardlink(root, path, entry);
  if (entry.type === 'file' || entry.type === 'folder' || entry.type === 'link') await own(path, entry);
}

/** The owner first: changing it clears the set-user-ID bit. */
async function own(path: string, entry: TarEntry): Promise<void> {
  await lchown(path, entry.uid, entry.gid);
  if (entry.type !== 'link') await chmod(path, entry.mode);
}

async function hardlink(root: string, path: string, entry: TarEntry): Promise<void> {
  const parts = partsOf(entry.target);
  const target = join(await folderIn(root, parts.slice(0, -1)), parts.at(-1) ?? '');
  const about = await look(target);
  if (about === undefined || about.isDirectory()) {
    throw new RangeError(`Cannot unpack "${entry.path}": it links to ${entry.target}, which is no file of the image`);
  }
  await link(target, path);
}
