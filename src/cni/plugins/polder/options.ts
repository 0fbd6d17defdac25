/** What a call may ask of the plugin beside addresses: hairpin, DNS. */

import type { NetConf } from '#wire/cni/conf.ts';
import { isObject, type JsonObject, lookup, optBoolean, optStrings } from '#wire/cni/json.ts';
import type { CniDns } from '#wire/cni/result.ts';

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
