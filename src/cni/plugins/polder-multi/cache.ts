/** What each pod got, in a file a pod: DEL needs no API, and undoes also what an ADD that was killed had begun. */

import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '#cni/parts/folder.ts';
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

/** A file that says nothing: of a disk that was full, or of a stranger. */
export interface BrokenFile {
  /** As `fileOf` names it. */
  readonly file: string;
  readonly why: string;
}

export type Found =
  | { readonly kind: 'nothing' }
  | ({ readonly kind: 'broken' } & BrokenFile)
  | { readonly kind: 'pod'; readonly pod: CachedPod };

type PodKey = Pick<CniRequest, 'containerId' | 'ifname'>;

export function fileOf({ containerId, ifname }: PodKey): string {
  return `${containerId}-${ifname}.json`;
}

export class PodCache {
  readonly #dir: string;

  constructor({ conf, caller }: PluginCall) {
    this.#dir = caller.seen(optString(conf.raw, 'cniDir', '') ?? DEFAULT_DIR);
  }

  /** It is on the disk when this ends: addresses of the pod's networks are, too, after a power cut. */
  async put(pod: CachedPod): Promise<void> {
    makeFolder(this.#dir, 0o700);
    const fresh = join(this.#dir, `.${pod.containerId}-${pod.ifname}.new`);
    await writeSynced(fresh, JSON.stringify(pod));
    await rename(fresh, join(this.#dir, fileOf(pod)));
    await using folder = await open(this.#dir);
    await folder.sync();
  }

  async find(key: PodKey): Promise<Found> {
    return this.#read(fileOf(key));
  }

  async remove(key: PodKey): Promise<void> {
    await rm(join(this.#dir, fileOf(key)), { force: true });
  }

  async list(): Promise<{ readonly pods: CachedPod[]; readonly broken: BrokenFile[] }> {
    const names = await readdir(this.#dir).catch(() => []);
    const own = names.filter((name) => !name.startsWith('.')).sort();
    const found = await Promise.all(own.map((name) => this.#read(name)));
    return {
      pods: found.flatMap((one) => (one.kind === 'pod' ? [one.pod] : [])),
      broken: found.filter((one) => one.kind === 'broken'),
    };
  }

  async #read(file: string): Promise<Found> {
    try {
      const pod = decode(JSON.parse(await readFile(join(this.#dir, file), 'utf8')));
      return pod ? { kind: 'pod', pod } : { kind: 'broken', file, why: 'it is not what was written' };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'nothing' };
      return { kind: 'broken', file, why: error instanceof Error ? error.message : String(error) };
    }
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, 'w', 0o600);
  await file.writeFile(text);
  await file.sync();
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
