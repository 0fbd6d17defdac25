/** The flannel plugin's configuration and the node's subnet file -> the configuration of the plugin that does the work. */

import type { Addr } from '#net/addr.ts';
import { lengthOf, prefixFamily } from '#net/prefix.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import { type JsonObject, optList, optObject, optString, wrong } from '#wire/cni/json.ts';
import { gatewayOf, type SubnetEnv } from '#wire/cni/subnet-env.ts';

/** What the delegate may not say, since it is this plugin that knows it. */
const OURS = ['name', 'ipam'] as const;

/** @throws PolderError cni-config naming the key. */
export function delegateOf(conf: NetConf): JsonObject {
  const delegate = optObject(conf.raw, 'delegate', '') ?? {};
  for (const key of OURS) {
    if (delegate[key] !== undefined) wrong(`delegate.${key}`, 'must not be set: flannel sets it', delegate[key]);
  }
  const type = optString(delegate, 'type', 'delegate.') ?? 'bridge';
  if (type === conf.type) wrong('delegate.type', 'must be another plugin', type);
  return { ...delegate, type };
}

/**
 * The whole configuration of the delegate. The same keys as the reference's, set and defaulted as its README says.
 * @param ipam where the pod's addresses come from
 */
export function delegateConf(conf: NetConf, env: SubnetEnv, ipam: JsonObject): JsonObject {
  const delegate = delegateOf(conf);
  return {
    ipMasq: !env.masquerade,
    mtu: env.mtu,
    ...(delegate.type === 'bridge' && { isGateway: true }),
    ...delegate,
    ...(Object.keys(conf.runtimeConfig).length > 0 && { runtimeConfig: conf.runtimeConfig }),
    ...(conf.raw.args !== undefined && { args: conf.raw.args }),
    name: conf.name,
    cniVersion: conf.cniVersion,
    ipam,
  };
}

/** Addresses of the node's subnet by the plugin that the configuration names, host-local if none. */
export function rangesIpam(conf: NetConf, env: SubnetEnv): JsonObject {
  const ipam = optObject(conf.raw, 'ipam', '') ?? {};
  return {
    ...ipam,
    type: optString(ipam, 'type', 'ipam.') ?? 'host-local',
    ranges: env.subnets.map((subnet) => [{ subnet }]),
    routes: routes(ipam, env),
  };
}

/** Addresses that have been chosen already. */
export function staticIpam(conf: NetConf, env: SubnetEnv, addrs: readonly Addr[]): JsonObject {
  const addresses = env.subnets.flatMap((subnet, i) => {
    const addr = addrs[i];
    return addr === undefined ? [] : [{ address: `${addr}/${lengthOf(subnet)}`, gateway: gatewayOf(subnet) }];
  });
  return { type: 'static', addresses, routes: routes(optObject(conf.raw, 'ipam', '') ?? {}, env) };
}

/** Those that were asked for, and one to the cluster's networks: needed where the pod has no default route that way. */
function routes(ipam: JsonObject, env: SubnetEnv): JsonObject[] {
  const asked = optList(ipam, 'routes', 'ipam.', (route) => route) ?? [];
  const families = new Set(env.subnets.map(prefixFamily));
  return [...asked, ...env.networks.filter((one) => families.has(prefixFamily(one))).map((dst) => ({ dst }))];
}
