/** `ipam` of the configuration, with the keys of the reference plugin. */

import { createHash } from 'node:crypto';
import type { DhcpIdentity } from '#cni/dhcp/client.ts';
import type { PluginCall } from '#cni/plugin.ts';
import { type JsonObject, optBoolean, optList, optObject, optString, optUint, wrong } from '#wire/cni/json.ts';
import type { CniRequest } from '#wire/cni/request.ts';
import { duidOfUuid, encodeClientId } from '#wire/dhcp/client-id.ts';
import { OPTION, optionCode } from '#wire/dhcp/options.ts';

export interface DhcpConf {
  readonly who: DhcpIdentity;
  readonly broadcast: boolean;
  readonly priority?: number;
  /** For the whole of ADD, milliseconds. */
  readonly timeoutMs: number;
}

const DEFAULT_TIMEOUT_S = 20;
/** Runtimes kill a plugin after two minutes. */
const LONGEST_TIMEOUT_S = 100;
const LONGEST_VALUE = 255;

const REQUESTED = [
  OPTION['subnet-mask'],
  // A server that can say both puts them in this order (RFC 3442).
  OPTION['rfc3442-classless-static-routes'],
  OPTION.routers,
  OPTION['static-routes'],
  OPTION['domain-name-servers'],
  OPTION['domain-name'],
  OPTION['domain-search'],
  OPTION['dhcp-renewal-time'],
  OPTION['dhcp-rebinding-time'],
];

/** What the protocol itself says with these is not the configuration's to say. */
const RESERVED: ReadonlySet<number> = new Set([
  OPTION['dhcp-message-type'],
  OPTION['dhcp-server-identifier'],
  OPTION['dhcp-parameter-request-list'],
  OPTION['dhcp-max-message-size'],
  52,
]);

/** @throws PolderError cni-config naming the key. */
export function readDhcpConf({ conf, request }: PluginCall): DhcpConf {
  const ipam = optObject(conf.raw, 'ipam', '') ?? wrong('ipam', 'must be an object', undefined);
  // The reference's daemon listens there; here the agent does its work.
  optString(ipam, 'daemonSocketPath', 'ipam.');
  const seconds = optUint(ipam, 'timeout', 'ipam.') || DEFAULT_TIMEOUT_S;
  if (seconds > LONGEST_TIMEOUT_S) wrong('ipam.timeout', `must be at most ${LONGEST_TIMEOUT_S} seconds`, seconds);
  const priority = optUint(ipam, 'priority', 'ipam.');
  const provide = new Map(optList(ipam, 'provide', 'ipam.', (item, path) => readProvided(item, path, request))?.flat());
  return {
    who: {
      clientId: provide.get(OPTION['dhcp-client-identifier']) ?? clientId(ipam, conf.name, request),
      provide,
      request: readRequested(ipam),
    },
    broadcast: optBoolean(ipam, 'broadcast', 'ipam.') ?? false,
    ...(priority !== undefined && priority > 0 && { priority }),
    timeoutMs: seconds * 1000,
  };
}

/** `{option, value}` or `{option, fromArg}`: the value of this key of CNI_ARGS, if it is there. */
function readProvided(item: JsonObject, path: string, { args }: CniRequest): [number, Uint8Array][] {
  const code = readOption(item, path);
  if (RESERVED.has(code)) wrong(`${path}option`, 'must not be one that the protocol itself uses', code);
  const value = args.get(optString(item, 'fromArg', path) ?? '') ?? optString(item, 'value', path) ?? '';
  if (value === '') return [];
  const bytes = new TextEncoder().encode(value);
  if (bytes.length > LONGEST_VALUE) wrong(`${path}value`, `must have at most ${LONGEST_VALUE} bytes`, value);
  if (code === OPTION['dhcp-client-identifier'] && bytes.length < 2)
    wrong(`${path}value`, 'must have two bytes', value);
  return [[code, code === OPTION['user-class'] ? userClass(bytes) : bytes]];
}

/** RFC 3004 §4: each class has its length before it. */
function userClass(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(Math.min(bytes.length, LONGEST_VALUE - 1), ...bytes.subarray(0, LONGEST_VALUE - 1));
}

/** Beside the usual options, unless one entry has `skipDefault`. */
function readRequested(ipam: JsonObject): number[] {
  const own = optList(ipam, 'request', 'ipam.', (item, path) => ({
    skip: optBoolean(item, 'skipDefault', path) ?? false,
    codes: optString(item, 'option', path) ? [readOption(item, path)] : [],
  }));
  const usual = own?.some(({ skip }) => skip) ? [OPTION['subnet-mask']] : REQUESTED;
  return [...new Set([...usual, ...(own?.flatMap(({ codes }) => codes) ?? [])])];
}

function readOption(item: JsonObject, path: string): number {
  const text = optString(item, 'option', path) ?? '';
  return (
    optionCode(text) ?? wrong(`${path}option`, 'must be a name of dhcp-options(5) or a number from 1 to 254', text)
  );
}

const LONGEST_NAME = 200;

/**
 * As the reference plugin names its clients: container, network, interface; so a server's list of leases can be read.
 * `"clientIdentifier": "duid"` makes it one of RFC 4361 of the same three.
 */
function clientId(ipam: JsonObject, network: string, { containerId, ifname }: CniRequest): Uint8Array {
  const kinds = ['name', 'duid'];
  const kind = optString(ipam, 'clientIdentifier', 'ipam.') || 'name';
  if (!kinds.includes(kind)) wrong('ipam.clientIdentifier', `must be one of ${kinds.join(', ')}`, kind);
  const digest = createHash('sha256').update(`${containerId}/${network}`).digest();
  if (kind === 'duid') {
    const iaid = createHash('sha256').update(ifname).digest().readUInt32BE();
    return encodeClientId({ kind: 'duid', iaid, duid: duidOfUuid(digest.subarray(0, 16)) });
  }
  const name = `${containerId}/${network}/${ifname}`;
  const short = name.length > LONGEST_NAME ? `${containerId.slice(0, 64)}-${digest.toString('hex')}/${ifname}` : name;
  return encodeClientId({ kind: 'name', name: short });
}
