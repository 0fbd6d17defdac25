/**
 * A CNI runtime: finds the node's network, runs the chain of its plugins, remembers results. It does what libcni does
 * for container runtimes, in the same order and with the same files, so that either can take over from the other.
 */

import { KeyedLock } from '#cni/keyed-lock.ts';
import { type CachedAttachment, ResultCache } from '#cni/runtime/cache.ts';
import { type NetworkList, type PluginConf, parseConflist, pluginStdin } from '#cni/runtime/conflist.ts';
import { findPlugin, runPlugin } from '#cni/runtime/exec.ts';
import { findNetwork, loadFile } from '#cni/runtime/load.ts';
import { PolderError } from '#spec/errors.ts';
import { formatArgs } from '#wire/cni/args.ts';
import type { ValidAttachment } from '#wire/cni/conf.ts';
import { isObject, type JsonObject, parseObject } from '#wire/cni/json.ts';
import { badContainerId, badIfname } from '#wire/cni/names.ts';
import type { Command } from '#wire/cni/request.ts';
import { type CniResult, decodeResult, encodeResult } from '#wire/cni/result.ts';
import { atLeast } from '#wire/cni/version.ts';

export interface RuntimeOptions {
  /** /etc/cni/net.d */
  readonly confDir: string;
  /** /opt/cni/bin; searched in order, and passed on as CNI_PATH. */
  readonly binDirs: readonly string[];
  /** /var/lib/cni */
  readonly cacheDir: string;
  /** Environment of the plugins beside CNI_*: PATH, POLDER_CNI_SOCKET. Nothing else is inherited. */
  readonly env?: { readonly [name: string]: string };
  /** For one plugin, milliseconds; then it is killed. */
  readonly timeoutMs?: number;
}

export interface AttachmentCall {
  readonly containerId: string;
  /** Path of the network namespace; for DEL '' once it is gone. */
  readonly netns: string;
  readonly ifname: string;
  /** Name of the network, or path of a conflist (with a '/'); the first of the directory if absent. */
  readonly network?: string;
  /** CNI_ARGS. */
  readonly args?: { readonly [key: string]: string };
  /** Values for declared capabilities: `{ portMappings: [...] }`. */
  readonly capabilityArgs?: JsonObject;
}

export class CniRuntime {
  readonly #options: RuntimeOptions;
  readonly #cache: ResultCache;
  readonly #locks = new KeyedLock();

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#cache = new ResultCache(options.cacheDir);
  }

  /** @throws PolderError cni-network-missing, file-invalid */
  async network(which?: string): Promise<NetworkList> {
    return which?.includes('/') ? loadFile(which) : findNetwork(this.#options.confDir, which);
  }

  /**
   * Runs ADD through the chain. If a plugin fails, the whole chain's DEL is run before this throws.
   * @throws PolderError cni-plugin-failed, cni-plugin-missing, cni-network-missing, file-invalid, cni-environment,
   *   cni-attached if there was an ADD without a DEL
   */
  async add(call: AttachmentCall): Promise<CniResult> {
    checkCall(call);
    return this.#locks.run(call.containerId, async () => this.#add(await this.network(call.network), call));
  }

  async #add(list: NetworkList, call: AttachmentCall): Promise<CniResult> {
    // The spec forbids a second ADD; its failure would undo the first one.
    const before = await this.#cache.get({ network: list.name, containerId: call.containerId, ifname: call.ifname });
    if (before) throw new PolderError('cni-attached', { container: call.containerId, ifname: call.ifname });
    let result: JsonObject | undefined;
    try {
      for (const plugin of list.plugins) result = await this.#addOne(list, plugin, call, result);
      const raw = result ?? {};
      const decoded = decodeResult(raw);
      await this.#cache.put({ ...cacheEntry(list, call), result: raw });
      return decoded;
    } catch (error) {
      await this.#undo(list, call, result);
      throw error;
    }
  }

  async #addOne(list: NetworkList, plugin: PluginConf, call: AttachmentCall, before: JsonObject | undefined) {
    const stdin = pluginStdin(list, plugin, {
      ...(before && { prevResult: before }),
      ...(call.capabilityArgs && { capabilityArgs: call.capabilityArgs }),
    });
    const stdout = await this.#exec('ADD', plugin, call, stdin);
    return inVersion(parseResult(stdout, plugin.type), list);
  }

  /** DEL of every plugin, also of those that were not reached, each tried; the first error is what the caller must see. */
  async #undo(list: NetworkList, call: AttachmentCall, before: JsonObject | undefined): Promise<void> {
    for (const plugin of list.plugins.toReversed()) {
      await this.#delOne(list, plugin, call, before).catch(() => {});
    }
  }

  /** Runs DEL through the chain, backwards, as the conflist was at the time of ADD. Succeeds if there is nothing left. */
  async del(call: AttachmentCall): Promise<void> {
    checkCall(call);
    await this.#locks.run(call.containerId, () => this.#del(call));
  }

  async #del(call: AttachmentCall): Promise<void> {
    const { list, cached } = await this.#known(call);
    const full: AttachmentCall = cached
      ? { args: Object.fromEntries(cached.args), capabilityArgs: cached.capabilityArgs, ...call }
      : call;
    const before = cached && atLeast(list.cniVersion, '0.4.0') ? inVersion(cached.result, list) : undefined;
    for (const plugin of list.plugins.toReversed()) await this.#delOne(list, plugin, full, before);
    await this.#cache.remove({ network: list.name, containerId: call.containerId, ifname: call.ifname });
  }

  async #delOne(
    list: NetworkList,
    plugin: PluginConf,
    call: AttachmentCall,
    before: JsonObject | undefined,
  ): Promise<void> {
    const stdin = pluginStdin(list, plugin, {
      ...(before && { prevResult: before }),
      ...(call.capabilityArgs && { capabilityArgs: call.capabilityArgs }),
    });
    await this.#exec('DEL', plugin, call, stdin);
  }

  /** The cached attachment and its own conflist; else the network as it is now. */
  async #known(call: AttachmentCall): Promise<{ list: NetworkList; cached?: CachedAttachment }> {
    const named = call.network?.includes('/') ? (await loadFile(call.network)).name : call.network;
    const cached =
      named === undefined
        ? (await this.attachments(call.containerId)).find((entry) => entry.ifname === call.ifname)
        : await this.#cache.get({ network: named, containerId: call.containerId, ifname: call.ifname });
    if (!cached) return { list: await this.network(call.network) };
    return { list: await this.#listOf(cached, call), cached };
  }

  async #listOf(cached: CachedAttachment, call: AttachmentCall): Promise<NetworkList> {
    try {
      return parseConflist(cached.config, `the cached configuration of ${cached.network}`);
    } catch {
      return this.network(call.network ?? cached.network);
    }
  }

  /** Runs CHECK through the chain. @throws PolderError cni-plugin-failed, cni-container-unknown if there was no ADD. */
  async check(call: AttachmentCall): Promise<void> {
    checkCall(call);
    await this.#locks.run(call.containerId, async () => {
      const { list, cached } = await this.#known(call);
      if (!cached) {
        throw new PolderError('cni-container-unknown', {
          container: call.containerId,
          ifname: call.ifname,
          network: list.name,
        });
      }
      if (list.disableCheck || !atLeast(list.cniVersion, '0.4.0')) return;
      const full: AttachmentCall = {
        args: Object.fromEntries(cached.args),
        capabilityArgs: cached.capabilityArgs,
        ...call,
      };
      for (const plugin of list.plugins) {
        const add = { prevResult: inVersion(cached.result, list), capabilityArgs: full.capabilityArgs ?? {} };
        await this.#exec('CHECK', plugin, full, pluginStdin(list, plugin, add));
      }
    });
  }

  /** Removes every attachment of the network that is not named: DEL for those in the cache, then GC of each plugin. */
  async gc(valid: readonly ValidAttachment[], network?: string): Promise<void> {
    const list = await this.network(network);
    const keep = new Set(valid.map((a) => `${a.containerID}/${a.ifname}`));
    const stale = (await this.#cache.list()).filter(
      (a) => a.network === list.name && !keep.has(`${a.containerId}/${a.ifname}`),
    );
    const errors: unknown[] = [];
    for (const a of stale) {
      const call = { containerId: a.containerId, ifname: a.ifname, netns: a.netns, network: a.network };
      await this.del(call).catch((error) => errors.push(error));
    }
    if (atLeast(list.cniVersion, '1.1.0') && !list.disableGC) {
      for (const plugin of list.plugins) {
        const extra = { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid };
        const stdin = pluginStdin(list, plugin, { extra });
        await this.#exec('GC', plugin, undefined, stdin).catch((error) => errors.push(error));
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /**
   * Returns if the network can take pods. Plugins are asked from 1.1.0 on; before, they must at least be there.
   * @throws PolderError cni-plugin-failed, cni-plugin-missing, cni-network-missing, file-invalid
   */
  async status(network?: string): Promise<NetworkList> {
    const list = await this.network(network);
    for (const plugin of list.plugins) {
      if (atLeast(list.cniVersion, '1.1.0'))
        await this.#exec('STATUS', plugin, undefined, pluginStdin(list, plugin, {}));
      else await findPlugin(plugin.type, this.#options.binDirs);
    }
    return list;
  }

  /** Versions that a plugin supports. @throws PolderError cni-plugin-failed, cni-plugin-missing */
  async version(type: string): Promise<readonly string[]> {
    const plugin: PluginConf = { type, capabilities: [], raw: {} };
    const answer = parseResult(await this.#exec('VERSION', plugin, undefined, '{"cniVersion":"1.1.0"}'), type);
    return Array.isArray(answer.supportedVersions) ? answer.supportedVersions.map(String) : [];
  }

  /** What ADD made and DEL has not undone, of one container or of all. */
  async attachments(containerId?: string): Promise<CachedAttachment[]> {
    const all = await this.#cache.list();
    return containerId === undefined ? all : all.filter((entry) => entry.containerId === containerId);
  }

  async #exec(command: Command, plugin: PluginConf, call: AttachmentCall | undefined, stdin: string): Promise<string> {
    const { binDirs, env, timeoutMs } = this.#options;
    return runPlugin({
      path: await findPlugin(plugin.type, binDirs),
      plugin: plugin.type,
      stdin,
      timeoutMs: timeoutMs ?? 120_000,
      env: {
        ...env,
        CNI_COMMAND: command,
        CNI_PATH: binDirs.join(':'),
        ...(call && {
          CNI_CONTAINERID: call.containerId,
          CNI_NETNS: call.netns,
          CNI_IFNAME: call.ifname,
          CNI_ARGS: formatArgs(Object.entries(call.args ?? {})),
        }),
      },
    });
  }
}

function checkCall(call: AttachmentCall): void {
  const badId = badContainerId(call.containerId);
  if (badId) throw new PolderError('cni-environment', { what: `Container ID "${call.containerId}" ${badId}` });
  const badName = badIfname(call.ifname);
  if (badName) throw new PolderError('cni-environment', { what: `Interface name "${call.ifname}" ${badName}` });
}

function cacheEntry(list: NetworkList, call: AttachmentCall): Omit<CachedAttachment, 'result'> {
  return {
    network: list.name,
    containerId: call.containerId,
    ifname: call.ifname,
    netns: call.netns,
    args: Object.entries(call.args ?? {}),
    capabilityArgs: call.capabilityArgs ?? {},
    config: list.text,
  };
}

function parseResult(stdout: string, plugin: string): JsonObject {
  try {
    return parseObject(stdout, `the answer of ${plugin}`);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new PolderError('cni-plugin-failed', { plugin, command: 'ADD', what }, { cause: error });
  }
}

/** A result in the list's version: as it is if it says so, so that keys that only plugins know are kept. */
function inVersion(result: JsonObject, list: NetworkList): JsonObject {
  if (!isObject(result) || result.cniVersion === list.cniVersion) return result;
  return encodeResult(decodeResult(result, 'result.'), list.cniVersion);
}
