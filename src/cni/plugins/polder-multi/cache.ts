/** What each pod got, in a file a pod: DEL needs no API, and undoes also what an ADD that was killed had begun. */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PluginCall } from '#cni/plugin.ts';
import type { Attachment } from '#cni/plugins/polder-multi/attachment.ts';
import { isObject, type JsonObject, optString } from '#wire/cni/json.ts';
import type { CniRequest } from '#wire/cni/request.ts';

/** Must survive the node's programs; each node needs one of its own. */
const DEFAULT_DIR = '/var/lib/cni/polder-multi';

export interface CachedPod {
  /** Name of this plugin's own network. */
  readonly network: string;
  readonly containerId: string;
  /** Of the first network. */
  readonly ifname: string;
  readonly args: readonly (readonly [string, string])[];
  /** In the order of ADD. */
  readonly attachments: readonly Attachment[];
}

export class PodCache {
  readonly #dir: string;

  constructor({ conf, caller }: PluginCall) {
    this.#dir = caller.seen(optString(conf.raw, 'cniDir', '') ?? DEFAULT_DIR);
  }

  #path({ containerId, ifname }: Pick<CniRequest, 'containerId' | 'ifname'>): string {
    return join(this.#dir, `${containerId}-${ifname}.json`);
  }

  async put(pod: CachedPod): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const fresh = join(this.#dir, `.${pod.containerId}-${pod.ifname}.new`);
    await writeFile(fresh, JSON.stringify(pod), { mode: 0o600 });
    await rename(fresh, this.#path(pod));
  }

  /** Undefined if there is none, or none that can be read. */
  async get(request: Pick<CniRequest, 'containerId' | 'ifname'>): Promise<CachedPod | undefined> {
    return read(this.#path(request));
  }

  async remove(request: Pick<CniRequest, 'containerId' | 'ifname'>): Promise<void> {
    await rm(this.#path(request), { force: true });
  }

  async list(): Promise<CachedPod[]> {
    const names = await readdir(this.#dir).catch(() => []);
    const own = names.filter((name) => !name.startsWith('.')).sort();
    const pods = await Promise.all(own.map((name) => read(join(this.#dir, name))));
    return pods.filter((pod) => pod !== undefined);
  }
}

async function read(path: string): Promise<CachedPod | undefined> {
  try {
    return decode(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Undefined if it is not what `put` wrote. */
export function decode(value: unknown): CachedPod | undefined {
  if (!isObject(value) || !Array.isArray(value.attachments) || !Array.isArray(value.args)) return undefined;
  const { network, containerId, ifname } = value;
  if (typeof network !== 'string' || typeof containerId !== 'string' || typeof ifname !== 'string') return undefined;
  const attachments = value.attachments.map(readAttachment).filter((one) => one !== undefined);
  if (attachments.length !== value.attachments.length) return undefined;
  const args = value.args.filter(Array.isArray).map((pair): [string, string] => [String(pair[0]), String(pair[1])]);
  return { network, containerId, ifname, args, attachments };
}

function readAttachment(value: unknown): Attachment | undefined {
  if (!isObject(value)) return undefined;
  const { network, ifname, config } = value;
  if (typeof network !== 'string' || typeof ifname !== 'string' || typeof config !== 'string') return undefined;
  const object = (key: string): JsonObject => (isObject(value[key]) ? value[key] : {});
  return {
    network,
    isDefault: value.isDefault === true,
    ifname,
    config,
    capabilityArgs: object('capabilityArgs'),
    cniArgs: object('cniArgs'),
    ...(isObject(value.result) && { result: value.result }),
  };
}
