/** What a call may ask of the plugin: addresses, hardware address, MTU, hairpin, DNS. */

import { type Addr, readAddr } from '#net/addr.ts';
import { type Mac, readMac } from '#net/mac.ts';
import { addrOf } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { isObject, type JsonObject, lookup, optBoolean, optString, optStrings, wrong } from '#wire/cni/json.ts';
import type { CniRequest } from '#wire/cni/request.ts';
import { type CniDns, readIfAddr } from '#wire/cni/result.ts';

/**
 * The addresses that the caller wants: capability `ips`, `args.cni.ips`, or `IP=` of CNI_ARGS (several parted by
 * commas). The first of them that says something counts (CNI CONVENTIONS.md).
 */
export function wantedAddrs(conf: NetConf, request: CniRequest): Addr[] {
  const fromRuntime = optStrings(conf.runtimeConfig, 'ips', 'runtimeConfig.');
  const fromArgs = optStrings(conf.cniArgs, 'ips', 'args.cni.');
  if (fromRuntime) return fromRuntime.map((text, i) => addrOf(readIfAddr(text, `runtimeConfig.ips[${i}]`)));
  if (fromArgs) return fromArgs.map((text, i) => addrOf(readIfAddr(text, `args.cni.ips[${i}]`)));
  const text = request.args.get('IP') ?? '';
  return text === '' ? [] : text.split(',').map(ipOfArgs);
}

function ipOfArgs(text: string): Addr {
  const addr = readAddr(text.replace(/\/\d+$/, ''));
  if (addr === undefined)
    throw new PolderError('cni-environment', { what: `Invalid CNI_ARGS: IP=${text} is no address` });
  return addr;
}

/** The hardware address that the caller wants: capability `mac`, `args.cni.mac`, or `MAC=` of CNI_ARGS. */
export function wantedMac(conf: NetConf, request: CniRequest): Mac | undefined {
  const text =
    optString(conf.runtimeConfig, 'mac', 'runtimeConfig.') ??
    optString(conf.cniArgs, 'mac', 'args.cni.') ??
    request.args.get('MAC');
  if (text === undefined || text === '') return undefined;
  const mac = readMac(text);
  // The lowest bit of the first octet: a group's address, which no interface can have.
  if (mac === undefined || (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1) {
    return wrong('mac', 'must be an Ethernet address of one station', text);
  }
  return mac;
}

export function hairpinOf(conf: NetConf): boolean {
  return optBoolean(conf.raw, 'hairpinMode', '') ?? false;
}

/** `dns` of the configuration, over which the runtime's capability `dns` goes (its keys are servers, searches, options). */
export function dnsOf(conf: NetConf): CniDns {
  const given = lookup(conf.runtimeConfig, 'dns');
  return isObject(given) ? { ...conf.dns, ...runtimeDns(given) } : conf.dns;
}

function runtimeDns(given: JsonObject): CniDns {
  const nameservers = optStrings(given, 'servers', 'runtimeConfig.dns.');
  const search = optStrings(given, 'searches', 'runtimeConfig.dns.');
  const options = optStrings(given, 'options', 'runtimeConfig.dns.');
  return {
    ...(nameservers?.length && { nameservers }),
    ...(search?.length && { search }),
    ...(options?.length && { options }),
  };
}
