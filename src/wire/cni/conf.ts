/** The network configuration that a plugin reads from standard input (CNI spec 1.1.0, "Plugin configuration objects"). */

import { type JsonObject, lookup, optList, optObject, optString, optUint, parseObject, wrong } from '#wire/cni/json.ts';
import { ifReadable } from '#wire/cni/lenient.ts';
import { badContainerId, badIfname, badNetworkName } from '#wire/cni/names.ts';
import type { Command } from '#wire/cni/request.ts';
import { type CniDns, type CniResult, decodeResult, readDns } from '#wire/cni/result.ts';
import { needSpecVersion, type SpecVersion } from '#wire/cni/version.ts';

/** One attachment that GC must leave alone. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

export interface NetConf {
  readonly cniVersion: SpecVersion;
  /** Of the network. */
  readonly name: string;
  /** Of the plugin. */
  readonly type: string;
  readonly mtu?: number;
  readonly dns: CniDns;
  /** `runtimeConfig`: what the runtime passes for the declared capabilities. Read it with `lookup`. */
  readonly runtimeConfig: JsonObject;
  /** `args.cni`. */
  readonly cniArgs: JsonObject;
  readonly prevResult?: CniResult;
  /** `cni.dev/valid-attachments`: GC always has it. */
  readonly validAttachments?: readonly ValidAttachment[];
  /** All of it, for the keys of a plugin's own. */
  readonly raw: JsonObject;
}

/** The `cniVersion` of a text, as far as one can tell: for the error that says that the rest is wrong. */
export function peekVersion(text: string): string | undefined {
  return /"cniVersion"\s*:\s*"([0-9.]{1,16})"/.exec(text)?.[1];
}

/**
 * DEL and GC must be able to remove whatever was made: what only ADD needs may be wrong then, and counts as absent (CNI
 * spec 1.1.0, DEL: "should generally complete without error"). GC must be told what is valid: a configuration that is
 * silent about it would be taken for an order to remove everything.
 *
 * @throws PolderError cni-decode (6) for no JSON object, cni-version (1) for a version that is not spoken,
 *   cni-config (7) naming the key for anything else.
 */
export function parseNetConf(text: string, plugin: string, command: Command = 'ADD'): NetConf {
  return readNetConf(parseObject(text, 'the network configuration'), plugin, command);
}

/** As `parseNetConf`, of what has been read as JSON already. */
export function readNetConf(raw: JsonObject, plugin: string, command: Command = 'ADD'): NetConf {
  const read = command === 'DEL' || command === 'GC' ? ifReadable : exactly;
  // A configuration without a version is one of 0.1.0, by the specification.
  const cniVersion = needSpecVersion(optString(raw, 'cniVersion', '') ?? '0.1.0', plugin);
  const name = optString(raw, 'name', '') ?? wrong('name', 'must be the name of the network', undefined);
  const badName = badNetworkName(name);
  if (badName) wrong('name', badName, name);
  const mtu = read(() => readMtu(raw));
  const dns = read(() => readOwnDns(raw));
  const prevResult = read(() => readPrevResult(raw));
  const valid = readValidAttachments(raw);
  if (command === 'GC' && valid === undefined) wrong(VALID, 'must name the attachments that stay', undefined);
  return {
    cniVersion,
    name,
    type: optString(raw, 'type', '') ?? plugin,
    ...(mtu !== undefined && { mtu }),
    dns: dns ?? {},
    runtimeConfig: read(() => optObject(raw, 'runtimeConfig', '')) ?? {},
    cniArgs: read(() => optObject(optObject(raw, 'args', '') ?? {}, 'cni', 'args.')) ?? {},
    ...(prevResult && { prevResult }),
    ...(valid && { validAttachments: valid }),
    raw,
  };
}

function exactly<T>(read: () => T): T {
  return read();
}

function readOwnDns(raw: JsonObject): CniDns | undefined {
  const dns = optObject(raw, 'dns', '');
  return dns && readDns(dns, 'dns.');
}

function readPrevResult(raw: JsonObject): CniResult | undefined {
  const prevResult = optObject(raw, 'prevResult', '');
  return prevResult && decodeResult(prevResult, 'prevResult.');
}

/** IPv6 needs 1280 (RFC 8200 §5), IPv4 68 (RFC 791); 0 means the node's own choice. */
function readMtu(raw: JsonObject): number | undefined {
  const mtu = optUint(raw, 'mtu', '');
  if (mtu === undefined || mtu === 0) return undefined;
  return mtu >= 68 && mtu <= 65535 ? mtu : wrong('mtu', 'must be from 68 to 65535', mtu);
}

const VALID = 'cni.dev/valid-attachments';
/** What the specification called it by mistake; libcni writes both. */
const VALID_ONCE = 'cni.dev/attachments';

/** null is Go's empty list; undefined if there is none at all. */
function readValidAttachments(raw: JsonObject): readonly ValidAttachment[] | undefined {
  const key = [VALID, VALID_ONCE].find((name) => lookup(raw, name) !== undefined);
  if (key === undefined) return undefined;
  const valid = optList(raw, key, '', (item, path) => {
    const containerID = String(lookup(item, 'containerID') ?? '');
    const ifname = String(lookup(item, 'ifname') ?? '');
    const bad = badContainerId(containerID);
    if (bad) wrong(`${path}containerID`, bad, containerID);
    const badIf = badIfname(ifname);
    if (badIf) wrong(`${path}ifname`, badIf, ifname);
    return { containerID, ifname };
  });
  return valid ?? [];
}
