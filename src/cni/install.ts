/** Fills a folder of CNI executables (CNI_PATH): the shim once, and a link to it by the name of each plugin. */

import {
  closeSync,
  copyFileSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { ALONE_FILE, installAlone } from '#cni/daemonless/install.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { PolderError } from '#spec/errors.ts';

export interface InstallOptions {
  readonly binDir: string;
  /** The shim's executable. */
  readonly shim: string;
  /** The Node that runs plugins while no agent does. */
  readonly node: string;
  /** Also takes the place of other people's executables of the same names. */
  readonly replace: boolean;
}

export interface Installed {
  /** Types that are Polder's now. */
  readonly installed: readonly string[];
  /** Types of which there is an executable of somebody else, left alone. */
  readonly kept: readonly string[];
}

/** The shim's own file; the links lead to it, so that they hold wherever the folder is mounted. */
const SHIM = 'polder';

/**
 * Each file comes by a rename: a runtime may be using the folder. What others lead to comes before them, so that an
 * installation that fails leaves each name with a plugin that works.
 * @throws PolderError cni-io
 */
export function installPlugins({ binDir, shim, node, replace }: InstallOptions): Installed {
  try {
    mkdirSync(binDir, { recursive: true, mode: 0o755 });
    installAlone(binDir, { node });
    put(join(binDir, SHIM), (path) => copyExecutable(shim, path));
    const links = [...PLUGINS.keys()].filter((type) => type !== SHIM);
    const kept = replace ? [] : links.filter((type) => foreign(join(binDir, type)));
    const own = links.filter((type) => !kept.includes(type));
    for (const type of own) put(join(binDir, type), (path) => symlinkSync(SHIM, path));
    return { installed: [SHIM, ...own], kept };
  } catch (error) {
    const what = `Cannot install into ${binDir}: ${error instanceof Error ? error.message : error}`;
    throw new PolderError('cni-io', { what }, { cause: error });
  }
}

/** What `installPlugins` put there, and nothing of others; links go before what they lead to. @throws PolderError cni-io */
export function uninstallPlugins(binDir: string): { readonly removed: readonly string[] } {
  try {
    const links = [...PLUGINS.keys()].filter((type) => type !== SHIM && isOurs(join(binDir, type)));
    // Without the file beside it, the shim is not known to be one.
    const whole = lstatSync(join(binDir, ALONE_FILE), { throwIfNoEntry: false }) !== undefined;
    const removed = [...links, ...(whole ? [SHIM] : [])];
    for (const name of [...removed, ...(whole ? [ALONE_FILE] : [])]) rmSync(join(binDir, name), { force: true });
    return { removed };
  } catch (error) {
    const what = `Cannot remove from ${binDir}: ${error instanceof Error ? error.message : error}`;
    throw new PolderError('cni-io', { what }, { cause: error });
  }
}

function put(path: string, make: (path: string) => void): void {
  const fresh = `${path}.${process.pid}.new`;
  try {
    rmSync(fresh, { force: true });
    make(fresh);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

/** On the disk, and not only in memory, before anything leads to it. */
function copyExecutable(from: string, to: string): void {
  copyFileSync(from, to);
  const fd = openSync(to, 'r');
  try {
    fchmodSync(fd, 0o755);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function foreign(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined && !isOurs(path);
}

function isOurs(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true && readlinkSync(path) === SHIM;
}
