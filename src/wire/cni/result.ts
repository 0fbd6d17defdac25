/** The result of ADD, as plain values; decoded from and encoded for every spec version (CNI spec 1.1.0, "ADD Success"). */

import { type Addr, bitsOf, type Family, familyOf, readAddr } from '#net/addr.ts';
import { type IfAddr, ifAddr, type Prefix, parseIfAddr, prefixFamily, prefixOf } from '#net/prefix.ts';
import { type JsonObject, lookup, optList, optObject, optString, optStrings, optUint, wrong } from '#wire/cni/json.ts';
import { atLeast, type SpecVersion } from '#wire/cni/version.ts';

export interface CniInterface {
  readonly name: string;
  readonly mac?: string;
  /** Bytes; 1.1.0. */
  readonly mtu?: number;
  /** Path of the namespace; absent for an interface of the host. */
  readonly sandbox?: string;
  /** 1.1.0. */
  readonly socketPath?: string;
  /** 1.1.0. */
  readonly pciID?: string;
}

export interface CniIp {
  readonly address: IfAddr;
  readonly gateway?: Addr;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

export interface CniRoute {
  readonly dst: Prefix;
  readonly gw?: Addr;
  /** These five: 1.1.0. */
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

export interface CniDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

export const EMPTY_RESULT: CniResult = { interfaces: [], ips: [], routes: [], dns: {} };

/** Reads a result of any version. @throws PolderError cni-config naming the key, below `path`. */
export function decodeResult(value: JsonObject, path = ''): CniResult {
  if (lookup(value, 'ip4') !== undefined || lookup(value, 'ip6') !== undefined) return decodeOld(value, path);
  const interfaces = optList(value, 'interfaces', path, readInterface) ?? [];
  const ips = optList(value, 'ips', path, readIp) ?? [];
  ips.forEach((ip, i) => {
    if (ip.interface !== undefined && ip.interface >= interfaces.length) {
      wrong(`${path}ips[${i}].interface`, `must be an index into the ${interfaces.length} interfaces`, ip.interface);
    }
  });
  const dns = optObject(value, 'dns', path);
  return {
    interfaces,
    ips,
    routes: optList(value, 'routes', path, readRoute) ?? [],
    dns: dns ? readDns(dns, `${path}dns.`) : {},
  };
}

/** Before 0.3.0: one address a family, each with its own routes (CNI spec 0.2.0, "Result"). */
function decodeOld(value: JsonObject, path: string): CniResult {
  const both = (['ip4', 'ip6'] as const).flatMap((key) => {
    const item = optObject(value, key, path);
    return item ? [readOldIp(item, `${path}${key}.`)] : [];
  });
  const dns = optObject(value, 'dns', path);
  return {
    interfaces: [],
    ips: both.map(({ ip }) => ip),
    routes: both.flatMap(({ routes }) => routes),
    dns: dns ? readDns(dns, `${path}dns.`) : {},
  };
}

function readOldIp(item: JsonObject, path: string): { readonly ip: CniIp; readonly routes: readonly CniRoute[] } {
  const address = readIfAddr(optString(item, 'ip', path), `${path}ip`);
  const ip: CniIp = { address, ...some('gateway', readGateway(item, 'gateway', path)) };
  return { ip, routes: optList(item, 'routes', path, readRoute) ?? [] };
}

function readInterface(item: JsonObject, path: string): CniInterface {
  return {
    name: optString(item, 'name', path) ?? wrong(`${path}name`, 'must be a string', undefined),
    ...some('mac', nonEmpty(optString(item, 'mac', path))),
    ...some('mtu', optUint(item, 'mtu', path)),
    ...some('sandbox', nonEmpty(optString(item, 'sandbox', path))),
    ...some('socketPath', nonEmpty(optString(item, 'socketPath', path))),
    ...some('pciID', nonEmpty(optString(item, 'pciID', path))),
  };
}

function readIp(item: JsonObject, path: string): CniIp {
  const address = readIfAddr(optString(item, 'address', path), `${path}address`);
  return {
    address,
    ...some('gateway', readGateway(item, 'gateway', path)),
    ...some('interface', optUint(item, 'interface', path)),
  };
}

export function readRoute(item: JsonObject, path: string): CniRoute {
  const dst = readIfAddr(optString(item, 'dst', path), `${path}dst`);
  const slash = dst.lastIndexOf('/');
  return {
    // Others write routes with host bits set; the kernel refuses them, the network is what is meant.
    dst: prefixOf(
      readAddr(dst.slice(0, slash)) ?? wrong(`${path}dst`, 'must be a network', dst),
      Number(dst.slice(slash + 1)),
    ),
    ...some('gw', readGateway(item, 'gw', path)),
    ...some('mtu', optUint(item, 'mtu', path)),
    ...some('advmss', optUint(item, 'advmss', path)),
    ...some('priority', optUint(item, 'priority', path)),
    ...some('table', optUint(item, 'table', path)),
    ...some('scope', optUint(item, 'scope', path)),
  };
}

export function readDns(item: JsonObject, path: string): CniDns {
  return {
    ...some('nameservers', optStrings(item, 'nameservers', path)),
    ...some('domain', nonEmpty(optString(item, 'domain', path))),
    ...some('search', optStrings(item, 'search', path)),
    ...some('options', optStrings(item, 'options', path)),
  };
}

/** `address/length`; a bare address is taken as a host's, as `ips` requests may be written. */
export function readIfAddr(text: string | undefined, path: string): IfAddr {
  if (text === undefined) return wrong(path, 'must be an address such as 10.1.0.5/24', undefined);
  try {
    const bare = readAddr(text);
    return bare === undefined ? parseIfAddr(text) : ifAddr(bare, bitsOf(familyOf(bare)));
  } catch {
    return wrong(path, 'must be an address such as 10.1.0.5/24', text);
  }
}

function readGateway(item: JsonObject, key: string, path: string): Addr | undefined {
  const text = nonEmpty(optString(item, key, path));
  if (text === undefined) return undefined;
  return readAddr(text) ?? wrong(`${path}${key}`, 'must be an IP address', text);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** `{key: value}`, or nothing if there is no value: absent keys stay absent. */
function some<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: T });
}

/** The JSON of a result in the version that the configuration asked for. What a version does not know is left out. */
export function encodeResult(result: CniResult, version: SpecVersion): JsonObject {
  if (!atLeast(version, '0.3.0')) return encodeOld(result, version);
  const v110 = atLeast(version, '1.1.0');
  return {
    cniVersion: version,
    ...(result.interfaces.length > 0 && { interfaces: result.interfaces.map((i) => encodeInterface(i, v110)) }),
    ...(result.ips.length > 0 && { ips: result.ips.map((ip) => encodeIp(ip, atLeast(version, '1.0.0'))) }),
    ...(result.routes.length > 0 && { routes: result.routes.map((r) => encodeRoute(r, v110)) }),
    dns: result.dns,
  };
}

/** The first address of each family with the routes of it; interfaces did not exist. */
function encodeOld({ ips, routes, dns }: CniResult, version: SpecVersion): JsonObject {
  const old = (family: Family) => {
    const ip = ips.find(({ address }) => prefixFamily(address) === family);
    if (!ip) return undefined;
    const own = routes.filter(({ dst }) => prefixFamily(dst) === family).map((route) => encodeRoute(route, false));
    return { ip: ip.address, ...some('gateway', ip.gateway), ...(own.length > 0 && { routes: own }) };
  };
  return { cniVersion: version, ...some('ip4', old(4)), ...some('ip6', old(6)), dns };
}

function encodeInterface(i: CniInterface, v110: boolean): CniInterface {
  if (v110) return i;
  return { name: i.name, ...some('mac', i.mac), ...some('sandbox', i.sandbox) };
}

/** Before 1.0.0 each address says its IP version (CNI spec 0.4.0, "IPs"). */
function encodeIp(ip: CniIp, v100: boolean): JsonObject {
  return v100 ? { ...ip } : { version: ip.address.includes(':') ? '6' : '4', ...ip };
}

function encodeRoute(route: CniRoute, v110: boolean): CniRoute {
  return v110 ? route : { dst: route.dst, ...some('gw', route.gw) };
}

/** The result of a plugin further down the chain: what came before, and its own with the interface indices moved. */
export function appendResult(before: CniResult, own: CniResult): CniResult {
  const shift = before.interfaces.length;
  const moved = own.ips.map((ip) => (ip.interface === undefined ? ip : { ...ip, interface: ip.interface + shift }));
  return {
    interfaces: [...before.interfaces, ...own.interfaces],
    ips: [...before.ips, ...moved],
    routes: [...before.routes, ...own.routes],
    dns: { ...before.dns, ...own.dns },
  };
}
