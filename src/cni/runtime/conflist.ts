/** A network of a node: a `.conflist`, or a single `.conf` as a list of one (CNI spec 1.1.0, "Configuration format"). */

import { PolderError } from '#spec/errors.ts';
import {
  isObject,
  type JsonObject,
  lookup,
  optBoolean,
  optList,
  optObject,
  optString,
  optStrings,
  parseObject,
  wrong,
} from '#wire/cni/json.ts';
import { badNetworkName } from '#wire/cni/names.ts';
import { atLeast, isSpecVersion, SPEC_VERSIONS, type SpecVersion } from '#wire/cni/version.ts';

export interface NetworkList {
  readonly name: string;
  /** The highest version that both the list and Polder know. */
  readonly cniVersion: SpecVersion;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConf[];
  /** Where it came from, for messages. */
  readonly file: string;
  /** The text, as the result cache keeps it. */
  readonly text: string;
}

export interface PluginConf {
  readonly type: string;
  /** Capabilities that it declares with `true`. */
  readonly capabilities: readonly string[];
  readonly raw: JsonObject;
}

/** @throws PolderError file-invalid naming file and key. */
export function parseConflist(text: string, file: string): NetworkList {
  try {
    return readList(parseObject(text, 'it'), text, file);
  } catch (error) {
    // The same sentence, but about a file: that is what a person can open.
    if (error instanceof PolderError && (error.code === 'cni-config' || error.code === 'cni-decode')) {
      throw new PolderError('file-invalid', { file, what: String(error.details.what) }, { cause: error });
    }
    throw error;
  }
}

function readList(raw: JsonObject, text: string, file: string): NetworkList {
  const single = raw.plugins === undefined && raw.type !== undefined;
  const name = optString(raw, 'name', '') ?? wrong('name', 'must be the name of the network', undefined);
  const badName = badNetworkName(name);
  if (badName) wrong('name', badName, name);
  const plugins = single ? [readPlugin(raw, '')] : optList(raw, 'plugins', '', readPlugin);
  if (!plugins || plugins.length === 0) wrong('plugins', 'must be a list of at least one plugin', raw.plugins);
  return {
    name,
    cniVersion: chooseVersion(raw),
    disableCheck: readFlag(raw, 'disableCheck'),
    disableGC: readFlag(raw, 'disableGC'),
    plugins,
    file,
    text,
  };
}

/** The spec's example has a string there, its text a boolean: take both. */
function readFlag(raw: JsonObject, key: string): boolean {
  const value = lookup(raw, key);
  if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
  return optBoolean(raw, key, '') ?? false;
}

function chooseVersion(raw: JsonObject): SpecVersion {
  const one = optString(raw, 'cniVersion', '');
  const offered = [...(optStrings(raw, 'cniVersions', '') ?? []), ...(one === undefined ? [] : [one])];
  const known = offered.filter(isSpecVersion);
  const best = known.reduce<SpecVersion | undefined>((a, b) => (a && atLeast(a, b) ? a : b), undefined);
  return best ?? wrong('cniVersion', `must be one of ${SPEC_VERSIONS.join(', ')}`, one ?? raw.cniVersions);
}

function readPlugin(raw: JsonObject, path: string): PluginConf {
  const type = optString(raw, 'type', path) ?? wrong(`${path}type`, 'must be the name of a plugin', undefined);
  // It becomes a file name: nothing may lead out of the plugins' directories.
  if (type === '' || type === '.' || type === '..' || /[/\0]/.test(type))
    wrong(`${path}type`, 'must be a file name', type);
  const capabilities = optObject(raw, 'capabilities', path) ?? {};
  return { type, capabilities: Object.keys(capabilities).filter((name) => capabilities[name] === true), raw };
}

/** What a plugin of the list gets on standard input. */
export function pluginStdin(
  list: NetworkList,
  plugin: PluginConf,
  add: { readonly prevResult?: JsonObject; readonly capabilityArgs?: JsonObject; readonly extra?: JsonObject },
): string {
  const wanted = plugin.capabilities.filter((name) => add.capabilityArgs?.[name] !== undefined);
  const before = isObject(plugin.raw.runtimeConfig) ? plugin.raw.runtimeConfig : {};
  const runtimeConfig = { ...before, ...Object.fromEntries(wanted.map((name) => [name, add.capabilityArgs?.[name]])) };
  return JSON.stringify({
    ...plugin.raw,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(add.prevResult && { prevResult: add.prevResult }),
    ...add.extra,
  });
}
