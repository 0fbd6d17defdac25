/** Finds the networks of a node: the files of a directory in the order of their names, as kubelets do. */

import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { type NetworkList, parseConflist } from '#cni/runtime/conflist.ts';
import { PolderError } from '#spec/errors.ts';

const EXTENSIONS = ['.conflist', '.conf', '.json'];

export interface Loaded {
  readonly networks: readonly NetworkList[];
  /** Files that are none, and why: the first valid one wins, but nobody should have to guess. */
  readonly broken: readonly PolderError[];
}

/** @throws PolderError cni-network-missing if there is no such directory. */
export async function loadNetworks(confDir: string): Promise<Loaded> {
  const networks: NetworkList[] = [];
  const broken: PolderError[] = [];
  for (const file of await confFiles(confDir)) {
    try {
      networks.push(await loadFile(file));
    } catch (error) {
      if (!(error instanceof PolderError)) throw error;
      broken.push(error);
    }
  }
  return { networks, broken };
}

/** @throws PolderError file-invalid */
export async function loadFile(file: string): Promise<NetworkList> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new PolderError('file-invalid', { file, what }, { cause: error });
  }
  return parseConflist(text, file);
}

async function confFiles(confDir: string): Promise<string[]> {
  try {
    const names = await readdir(confDir);
    const sorted = names.filter((name) => EXTENSIONS.includes(extname(name))).sort();
    return sorted.map((name) => join(confDir, name));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new PolderError('cni-network-missing', { name: '', dir: confDir, why: ': the directory does not exist' });
    }
    throw error;
  }
}

/**
 * The network of this name, or the first one if none is named.
 * @throws PolderError cni-network-missing, with what is wrong with the files that are there; file-invalid if the only one is broken.
 */
export async function findNetwork(confDir: string, name?: string): Promise<NetworkList> {
  const { networks, broken } = await loadNetworks(confDir);
  const found = name === undefined ? networks[0] : networks.find((network) => network.name === name);
  if (found) return found;
  const [first] = broken;
  if (first && networks.length === 0 && broken.length === 1) throw first;
  const why = broken.map((error) => `; ${error.message}`).join('');
  throw new PolderError('cni-network-missing', { name: name === undefined ? '' : ` ${name}`, dir: confDir, why });
}
