/**
 * The delegate's configuration as it was at ADD, in a file for DEL and CHECK: the node's subnet may be another by then.
 * Places and content are the reference plugin's (`DATADIR/CONTAINER`), so that a node can change over with pods running.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PluginCall } from '#cni/plugin.ts';
import { isObject, type JsonObject, optString } from '#wire/cni/json.ts';

const DEFAULT_DIR = '/var/lib/cni/flannel';

/** The reference knows one interface a container; a second one must not take the place of the first. */
const FIRST_IFNAME = 'eth0';

function dirOf({ conf, caller }: PluginCall): string {
  return caller.seen(optString(conf.raw, 'dataDir', '') ?? DEFAULT_DIR);
}

function fileOf({ request }: PluginCall): string {
  return request.ifname === FIRST_IFNAME ? request.containerId : `${request.containerId}-${request.ifname}`;
}

export async function save(call: PluginCall, conf: JsonObject): Promise<void> {
  const dir = dirOf(call);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const fresh = join(dir, `.${fileOf(call)}.new`);
  await writeFile(fresh, JSON.stringify(conf), { mode: 0o600 });
  await rename(fresh, join(dir, fileOf(call)));
}

/** Undefined if there was no ADD, or its DEL was done; also for what cannot be read. */
export async function saved(call: PluginCall): Promise<JsonObject | undefined> {
  const own = await read(join(dirOf(call), fileOf(call)));
  if (own || call.request.ifname === FIRST_IFNAME) return own;
  // Left by the reference plugin for an interface of another name.
  const first = await read(join(dirOf(call), call.request.containerId));
  return first?.name === call.conf.name ? first : undefined;
}

async function read(path: string): Promise<JsonObject | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isObject(value) && typeof value.type === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

export async function forget(call: PluginCall): Promise<void> {
  await rm(join(dirOf(call), fileOf(call)), { force: true });
}

/** Removes the files of this network's attachments that are not named. */
export async function forgetAllBut(call: PluginCall, valid: ReadonlySet<string>): Promise<void> {
  const keep = new Set(Array.from(valid, (key) => nameOf(key)));
  for (const { path, name } of await ofNetwork(call)) if (!keep.has(name)) await rm(path, { force: true });
}

/** The configurations of this network's attachments, each kind once, without what each pod asked for. */
export async function savedKinds(call: PluginCall): Promise<JsonObject[]> {
  const kinds = new Map<string, JsonObject>();
  for (const { conf } of await ofNetwork(call)) {
    const { runtimeConfig: _, args: __, ...common } = conf;
    const kind = { ...common, cniVersion: call.conf.cniVersion };
    kinds.set(JSON.stringify(kind), kind);
  }
  return [...kinds.values()];
}

interface SavedFile {
  readonly path: string;
  readonly name: string;
  readonly conf: JsonObject;
}

async function ofNetwork(call: PluginCall): Promise<SavedFile[]> {
  const dir = dirOf(call);
  const names = (await readdir(dir).catch(() => [])).filter((one) => !one.startsWith('.')).sort();
  const files: SavedFile[] = [];
  for (const name of names) {
    const path = join(dir, name);
    const conf = await read(path);
    if (conf?.name === call.conf.name) files.push({ path, name, conf });
  }
  return files;
}

/** `CONTAINER/IFNAME` -> the file's name. */
function nameOf(key: string): string {
  const at = key.lastIndexOf('/');
  const [containerId, ifname] = [key.slice(0, at), key.slice(at + 1)];
  return ifname === FIRST_IFNAME ? containerId : `${containerId}-${ifname}`;
}
