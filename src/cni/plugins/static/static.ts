/** The CNI IPAM plugin `static`: see README.md of this folder. */

import { needPrevResult, refuseDifferences } from '#cni/parts/verify.ts';
import type { Plugin, PluginCall } from '#cni/plugin.ts';
import { type Addr, familyOf, readAddr } from '#net/addr.ts';
import { contains, type IfAddr, networkOf, parseIfAddr, prefixFamily } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { type JsonObject, optList, optObject, optString, optStrings, wrong } from '#wire/cni/json.ts';
import { type CniIp, type CniResult, readDns, readRoute } from '#wire/cni/result.ts';
import { atLeast } from '#wire/cni/version.ts';

/** Keeps nothing: there is nothing to take back. */
export const staticIpam: Plugin = { type: 'static', add, del: async () => {}, check, status, gc: async () => {} };

async function add(call: PluginCall): Promise<CniResult> {
  return read(call);
}

async function status(call: PluginCall): Promise<void> {
  read(call);
}

async function check(call: PluginCall): Promise<void> {
  const { ips, routes } = read(call);
  const said = needPrevResult(call);
  const addresses = new Set(said.ips.map(({ address, gateway }) => `${address} ${gateway ?? ''}`));
  const ways = new Set(said.routes.map(({ dst, gw }) => `${dst} ${gw ?? ''}`));
  refuseDifferences(call, [
    ...ips
      .filter(({ address, gateway }) => gateway !== undefined && !addresses.has(`${address} ${gateway}`))
      .map(({ address }) => `prevResult has no address ${address}, or another gateway for it`),
    ...ips
      .filter(({ address, gateway }) => gateway === undefined && !said.ips.some((ip) => ip.address === address))
      .map(({ address }) => `prevResult has no address ${address}`),
    ...routes
      .filter(({ dst, gw }) => !ways.has(`${dst} ${gw ?? ''}`))
      .map(({ dst }) => `prevResult has no route ${dst}`),
  ]);
}

/** @throws PolderError cni-config naming the key, cni-environment. */
function read(call: PluginCall): CniResult {
  const { conf } = call;
  const ipam = optObject(conf.raw, 'ipam', '') ?? wrong('ipam', 'must be an object', undefined);
  const dns = optObject(ipam, 'dns', 'ipam.');
  const ips = withGateways(addressesOf(call, ipam), call);
  const families = new Set(ips.map(({ address }) => prefixFamily(address)));
  if (!atLeast(conf.cniVersion, '0.3.0') && families.size < ips.length) {
    wrong('ipam.addresses', `must have at most one for each IP version in CNI version ${conf.cniVersion}`, ips.length);
  }
  return {
    interfaces: [],
    ips,
    routes: optList(ipam, 'routes', 'ipam.', readRoute) ?? [],
    dns: dns ? readDns(dns, 'ipam.dns.') : {},
  };
}

/** The runtime's or `args.cni.ips` take the place of all others; `IP=` of CNI_ARGS comes beside the configuration's. */
function addressesOf({ conf, request }: PluginCall, ipam: JsonObject): CniIp[] {
  const runtime = optStrings(conf.runtimeConfig, 'ips', 'runtimeConfig.');
  if (runtime?.length) return runtime.map((text, i) => ({ address: readNetwork(text, `runtimeConfig.ips[${i}]`) }));
  const args = optStrings(conf.cniArgs, 'ips', 'args.cni.');
  if (args?.length) return args.map((text, i) => ({ address: readNetwork(text, `args.cni.ips[${i}]`) }));
  const env = (request.args.get('IP') ?? '').split(',').filter((text) => text.trim() !== '');
  return [
    ...(optList(ipam, 'addresses', 'ipam.', readAddress) ?? []),
    ...env.map((text) => ({ address: readNetwork(text.trim(), 'IP of CNI_ARGS') })),
  ];
}

function readAddress(item: JsonObject, path: string): CniIp {
  const address = readNetwork(optString(item, 'address', path), `${path}address`);
  const gateway = readGateway(optString(item, 'gateway', path), `${path}gateway`);
  if (gateway && familyOf(gateway) !== prefixFamily(address)) wrong(`${path}gateway`, `must fit ${address}`, gateway);
  return { address, ...(gateway && { gateway }) };
}

/** An address without its length says nothing of its network. */
function readNetwork(text: string | undefined, path: string): IfAddr {
  try {
    return parseIfAddr(text ?? '');
  } catch {
    return wrong(path, 'must be an address with its length, such as 10.1.0.5/24', text);
  }
}

function readGateway(text: string | undefined, path: string): Addr | undefined {
  if (text === undefined || text === '') return undefined;
  return readAddr(text) ?? wrong(path, 'must be an IP address', text);
}

/** `GATEWAY=` of CNI_ARGS: each for the addresses in whose network it is. */
function withGateways(ips: readonly CniIp[], { request }: PluginCall): CniIp[] {
  const texts = (request.args.get('GATEWAY') ?? '').split(',').filter((text) => text.trim() !== '');
  const gateways = texts.map((text) => {
    const addr = readAddr(text.trim());
    if (addr) return addr;
    throw new PolderError('cni-environment', { what: `Invalid CNI_ARGS: GATEWAY=${text} is no address` });
  });
  return ips.map((ip) => {
    const gateway = gateways.find(
      (g) => familyOf(g) === prefixFamily(ip.address) && contains(networkOf(ip.address), g),
    );
    return gateway ? { ...ip, gateway } : ip;
  });
}
