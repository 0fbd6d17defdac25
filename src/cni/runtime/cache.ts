/**
 * Results of ADD on disk, in the layout and format of libcni (`results/NETWORK-CONTAINER-IFNAME`, kind `cniCacheV1`):
 * CHECK and DEL need them, also after a restart, and other tools read them.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

const KIND = 'cniCacheV1';

export interface CachedAttachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: string;
  readonly args: readonly (readonly [string, string])[];
  readonly capabilityArgs: JsonObject;
  /** Text of the conflist that made it. */
  readonly config: string;
  /** The last plugin's result, as it printed it. */
  readonly result: JsonObject;
}

export type AttachmentKey = Pick<CachedAttachment, 'network' | 'containerId' | 'ifname'>;

export class ResultCache {
  readonly #dir: string;

  constructor(cacheDir: string) {
    this.#dir = join(cacheDir, 'results');
  }

  #path(key: AttachmentKey): string {
    return join(this.#dir, `${key.network}-${key.containerId}-${key.ifname}`);
  }

  async put(entry: CachedAttachment): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const path = this.#path(entry);
    const fresh = join(this.#dir, `.${entry.containerId}-${entry.ifname}.new`);
    await writeFile(fresh, JSON.stringify(encode(entry)), { mode: 0o600 });
    await rename(fresh, path);
  }

  /** Undefined if there is none, or none that can be read: DEL must go on without. */
  async get(key: AttachmentKey): Promise<CachedAttachment | undefined> {
    return read(this.#path(key));
  }

  async remove(key: AttachmentKey): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  /** All of them, in the order of their file names. */
  async list(): Promise<CachedAttachment[]> {
    const names = await readdir(this.#dir).catch(() => []);
    const entries = await Promise.all(
      names.sort().map((name) => (name.startsWith('.') ? undefined : read(join(this.#dir, name)))),
    );
    return entries.filter((entry) => entry !== undefined);
  }
}

function encode(entry: CachedAttachment): JsonObject {
  return {
    kind: KIND,
    containerId: entry.containerId,
    // Go writes a byte slice as base64.
    config: Buffer.from(entry.config).toString('base64'),
    ifName: entry.ifname,
    networkName: entry.network,
    ...(entry.netns !== '' && { netns: entry.netns }),
    ...(entry.args.length > 0 && { cniArgs: entry.args }),
    ...(Object.keys(entry.capabilityArgs).length > 0 && { capabilityArgs: entry.capabilityArgs }),
    result: entry.result,
  };
}

async function read(path: string): Promise<CachedAttachment | undefined> {
  try {
    return decode(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

function decode(value: unknown): CachedAttachment | undefined {
  if (!isObject(value) || value.kind !== KIND) return undefined;
  const { containerId, ifName, networkName, netns, config, result } = value;
  if (typeof containerId !== 'string' || typeof ifName !== 'string' || typeof networkName !== 'string')
    return undefined;
  const args = Array.isArray(value.cniArgs) ? value.cniArgs : [];
  return {
    network: networkName,
    containerId,
    ifname: ifName,
    netns: typeof netns === 'string' ? netns : '',
    args: args.filter(Array.isArray).map((pair): [string, string] => [String(pair[0]), String(pair[1])]),
    capabilityArgs: isObject(value.capabilityArgs) ? value.capabilityArgs : {},
    config: typeof config === 'string' ? Buffer.from(config, 'base64').toString() : '',
    result: isObject(result) ? result : {},
  };
}
