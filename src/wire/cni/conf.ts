/** The network configuration that a plugin reads from standard input (CNI spec 1.1.0, "Plugin configuration objects"). */

import { type JsonObject, lookup, optList, optObject, optString, optUint, parseObject, wrong } from '#wire/cni/json.ts';
import { badContainerId, badIfname, badNetworkName } from '#wire/cni/names.ts';
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
  /** `cni.dev/valid-attachments`, for GC. */
  readonly validAttachments?: readonly ValidAttachment[];
  /** All of it, for the keys of a plugin's own. */
  readonly raw: JsonObject;
}

/** The `cniVersion` of a text, as far as one can tell: for the error that says that the rest is wrong. */
export function peekVersion(text: string): string | undefined {
  return /"cniVersion"\s*:\s*"([0-9.]{1,16})"/.exec(text)?.[1];
}

/**
 * @throws PolderError cni-decode (6) for no JSON object, cni-version (1) for a version that is not spoken,
 *   cni-config (7) naming the key for anything else.
 */
export function parseNetConf(text: string, plugin: string): NetConf {
  return readNetConf(parseObject(text, 'the network configuration'), plugin);
}

/** As `parseNetConf`, of what has been read as JSON already. */
export function readNetConf(raw: JsonObject, plugin: string): NetConf {
  // A configuration without a version is one of 0.1.0, by the specification.
  const cniVersion = needSpecVersion(optString(raw, 'cniVersion', '') ?? '0.1.0', plugin);
  const name = optString(raw, 'name', '') ?? wrong('name', 'must be the name of the network', undefined);
  const badName = badNetworkName(name);
  if (badName) wrong('name', badName, name);
  const mtu = readMtu(raw);
  const dns = optObject(raw, 'dns', '');
  const prevResult = optObject(raw, 'prevResult', '');
  const valid = readValidAttachments(raw);
  return {
    cniVersion,
    name,
    type: optString(raw, 'type', '') ?? plugin,
    ...(mtu !== undefined && { mtu }),
    dns: dns ? readDns(dns, 'dns.') : {},
    runtimeConfig: optObject(raw, 'runtimeConfig', '') ?? {},
    cniArgs: optObject(optObject(raw, 'args', '') ?? {}, 'cni', 'args.') ?? {},
    ...(prevResult && { prevResult: decodeResult(prevResult, 'prevResult.') }),
    ...(valid && { validAttachments: valid }),
    raw,
  };
}

/** IPv6 needs 1280 (RFC 8200 §5), IPv4 68 (RFC 791); 0 means the node's own choice. */
function readMtu(raw: JsonObject): number | undefined {
  const mtu = optUint(raw, 'mtu', '');
  if (mtu === undefined || mtu === 0) return undefined;
  return mtu >= 68 && mtu <= 65535 ? mtu : wrong('mtu', 'must be from 68 to 65535', mtu);
}

function readValidAttachments(raw: JsonObject): readonly ValidAttachment[] | undefined {
  return optList(raw, 'cni.dev/valid-attachments', '', (item, path) => {
    const containerID = String(lookup(item, 'containerID') ?? '');
    const ifname = String(lookup(item, 'ifname') ?? '');
    const bad = badContainerId(containerID);
    if (bad) wrong(`${path}containerID`, bad, containerID);
    const badIf = badIfname(ifname);
    if (badIf) wrong(`${path}ifname`, badIf, ifname);
    return { containerID, ifname };
  });
}
