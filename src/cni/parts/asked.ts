/** What a call may ask of any plugin beside its configuration: addresses and a hardware address. */

import { type Addr, readAddr } from '#net/addr.ts';
import { type Mac, readMac } from '#net/mac.ts';
import { addrOf, type IfAddr } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { optString, optStrings, wrong } from '#wire/cni/json.ts';
import type { CniRequest } from '#wire/cni/request.ts';
import { readIfAddr } from '#wire/cni/result.ts';

/**
 * The addresses that the caller wants: capability `ips`, `args.cni.ips`, or `IP=` of CNI_ARGS (several parted by
 * commas). The first of them that says something counts (CNI CONVENTIONS.md); an empty list says nothing. A bare
 * address is a host's.
 */
export function askedIfAddrs(conf: NetConf, request: CniRequest): IfAddr[] {
  const fromRuntime = optStrings(conf.runtimeConfig, 'ips', 'runtimeConfig.');
  const fromArgs = optStrings(conf.cniArgs, 'ips', 'args.cni.');
  if (fromRuntime?.length) return fromRuntime.map((text, i) => readIfAddr(text, `runtimeConfig.ips[${i}]`));
  if (fromArgs?.length) return fromArgs.map((text, i) => readIfAddr(text, `args.cni.ips[${i}]`));
  const text = request.args.get('IP') ?? '';
  return text === '' ? [] : text.split(',').map(ipOfArgs);
}

/** As `askedIfAddrs`, without the lengths. */
export function askedAddrs(conf: NetConf, request: CniRequest): Addr[] {
  return askedIfAddrs(conf, request).map(addrOf);
}

/** All of what capability, `args.cni` and CNI_ARGS ask for. */
export function askedFromAll(conf: NetConf, request: CniRequest): Addr[] {
  const runtimeConfig = {};
  const cniArgs = {};
  const args = new Map<string, string>();
  return [
    ...askedAddrs({ ...conf, runtimeConfig, cniArgs }, request),
    ...askedAddrs({ ...conf, runtimeConfig }, { ...request, args }),
    ...askedAddrs({ ...conf, cniArgs }, { ...request, args }),
  ];
}

function ipOfArgs(text: string): IfAddr {
  const known = readAddr(text.replace(/\/\d+$/, '')) !== undefined;
  if (!known) throw new PolderError('cni-environment', { what: `Invalid CNI_ARGS: IP=${text} is no address` });
  return readIfAddr(text, 'IP of CNI_ARGS');
}

/** The hardware address that the caller wants: capability `mac`, `args.cni.mac`, or `MAC=` of CNI_ARGS; '' says nothing. */
export function askedMac(conf: NetConf, request: CniRequest): Mac | undefined {
  return readStationMac(
    optString(conf.runtimeConfig, 'mac', 'runtimeConfig.') ||
      optString(conf.cniArgs, 'mac', 'args.cni.') ||
      request.args.get('MAC'),
    'mac',
  );
}

/** An Ethernet address that an interface can have; '' is none. @throws PolderError cni-config naming the key. */
export function readStationMac(text: string | undefined, key: string): Mac | undefined {
  if (text === undefined || text === '') return undefined;
  const mac = readMac(text);
  // The lowest bit of the first octet: a group's address, which no interface can have.
  if (mac === undefined || (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1) {
    return wrong(key, 'must be an Ethernet address of one station', text);
  }
  return mac;
}
