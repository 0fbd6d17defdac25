/** `ipam` of the configuration, and what the caller asks for. */

import { askedFromAll } from '#cni/parts/asked.ts';
import type { PluginCall } from '#cni/plugin.ts';
import {
  type Range,
  type RangeSet,
  rangeOf,
  rangesOverlap,
  rangeText,
  setFamily,
} from '#cni/plugins/host-local/range.ts';
import { type Addr, readAddr } from '#net/addr.ts';
import { readPrefix } from '#net/prefix.ts';
import { isObject, type JsonObject, lookup, optArray, optList, optObject, optString, wrong } from '#wire/cni/json.ts';
import { ifReadable } from '#wire/cni/lenient.ts';
import { type CniRoute, readRoute } from '#wire/cni/result.ts';
import { atLeast, type SpecVersion } from '#wire/cni/version.ts';

export interface HostLocalConf {
  /** One address out of each. */
  readonly sets: readonly RangeSet[];
  readonly routes: readonly CniRoute[];
  /** Folder of this network. */
  readonly dir: string;
  readonly resolvConf?: string;
  readonly asked: readonly Addr[];
}

const DATA_DIR = '/var/lib/cni/networks';

/** @throws PolderError cni-config naming the key. */
export function readHostLocalConf({ conf, request, caller }: PluginCall): HostLocalConf {
  const ipam = optObject(conf.raw, 'ipam', '') ?? wrong('ipam', 'must be an object', undefined);
  const resolvConf = optString(ipam, 'resolvConf', 'ipam.');
  return {
    sets: checkedSets(readSets(ipam, conf.runtimeConfig), conf.cniVersion),
    routes: optList(ipam, 'routes', 'ipam.', readRoute) ?? [],
    dir: caller.seen(`${readDataDir(ipam)}/${conf.name}`),
    ...(resolvConf && { resolvConf: caller.seen(resolvConf) }),
    asked: askedFromAll(conf, request),
  };
}

function readDataDir(ipam: JsonObject): string {
  const dataDir = optString(ipam, 'dataDir', 'ipam.') || DATA_DIR;
  return dataDir.startsWith('/') ? dataDir : wrong('ipam.dataDir', 'must be an absolute path', dataDir);
}

/** Only the folder: DEL and GC are to succeed also when the ranges have changed, or are wrong now. */
export function readDir({ conf, caller }: PluginCall): string {
  const ipam = ifReadable(() => optObject(conf.raw, 'ipam', '')) ?? {};
  const dataDir = ifReadable(() => readDataDir(ipam)) ?? DATA_DIR;
  return caller.seen(`${dataDir}/${conf.name}`);
}

/** The runtime's ranges, that of the old form (`subnet` beside `type`), and those of `ranges`, in this order. */
function readSets(ipam: JsonObject, runtimeConfig: JsonObject): RangeSet[] {
  const old = lookup(ipam, 'subnet') === undefined ? [] : [[readRange(ipam, 'ipam.')]];
  return [...readSetList(runtimeConfig, 'ipRanges', 'runtimeConfig.'), ...old, ...readSetList(ipam, 'ranges', 'ipam.')];
}

function readSetList(object: JsonObject, key: string, path: string): RangeSet[] {
  return (optArray(object, key, path) ?? []).map((set, i) => {
    const at = `${path}${key}[${i}]`;
    if (!Array.isArray(set) || set.length === 0) return wrong(at, 'must be a list of ranges', set);
    return set.map((range: unknown, j) =>
      isObject(range) ? readRange(range, `${at}[${j}].`) : wrong(`${at}[${j}]`, 'must be an object', range),
    );
  });
}

function readRange(item: JsonObject, path: string): Range {
  const text = optString(item, 'subnet', path);
  const subnet = text === undefined ? undefined : readPrefix(text);
  if (!subnet) return wrong(`${path}subnet`, 'must be a network such as 10.1.0.0/16, with host bits zero', text);
  const start = readAddrOf(item, 'rangeStart', path);
  const end = readAddrOf(item, 'rangeEnd', path);
  return rangeOf({ subnet, start, end, gateway: readAddrOf(item, 'gateway', path) }, path);
}

function readAddrOf(item: JsonObject, key: string, path: string): Addr | undefined {
  const text = optString(item, key, path);
  if (text === undefined || text === '') return undefined;
  return readAddr(text) ?? wrong(`${path}${key}`, 'must be an IP address', text);
}

function checkedSets(sets: readonly RangeSet[], version: SpecVersion): readonly RangeSet[] {
  if (sets.length === 0) wrong('ipam.ranges', 'must hold a range', undefined);
  for (const set of sets) {
    if (set.some(({ start }) => start.includes(':') !== (setFamily(set) === 6))) {
      wrong('ipam.ranges', 'must not mix IPv4 and IPv6 in one set', set.map(rangeText));
    }
  }
  const all = sets.flat();
  all.forEach((range, i) => {
    const other = all.slice(i + 1).find((r) => rangesOverlap(r, range));
    if (other) wrong('ipam.ranges', `must not overlap, as ${rangeText(range)} does`, rangeText(other));
  });
  if (!atLeast(version, '0.3.0') && new Set(sets.map(setFamily)).size < sets.length) {
    wrong('ipam.ranges', `must have at most one set for each IP version in CNI version ${version}`, sets.length);
  }
  return sets;
}
