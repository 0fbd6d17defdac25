/** `/run/flannel/subnet.env`: what flanneld tells the CNI plugin of its node. */

import { type Addr, addrPlus } from '#net/addr.ts';
import { addrOf, firstAddr, lengthOf, type Prefix, parseIfAddr, prefixFamily, prefixOf } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';

export interface SubnetEnv {
  /** The cluster's networks. */
  readonly networks: readonly Prefix[];
  /** This node's, one of each family at most. */
  readonly subnets: readonly Prefix[];
  /** Of pods' interfaces, bytes. */
  readonly mtu: number;
  /** Whether the node masquerades what leaves the cluster: then the plugin must not. */
  readonly masquerade: boolean;
}

/** @throws PolderError file-invalid naming the key. */
export function parseSubnetEnv(text: string, file: string): SubnetEnv {
  const values = new Map(text.split('\n').map((line) => keyAndValue(line.trim())));
  const fail = (what: string): never => {
    throw new PolderError('file-invalid', { file, what });
  };
  const prefixes = (key: string) => readPrefixes(values.get(key) ?? '', () => fail(`${key} holds no network`));
  const networks = [...prefixes('FLANNEL_NETWORK'), ...prefixes('FLANNEL_IPV6_NETWORK')];
  const subnets = [...prefixes('FLANNEL_SUBNET'), ...prefixes('FLANNEL_IPV6_SUBNET')];
  const mtu = values.get('FLANNEL_MTU') ?? fail('FLANNEL_MTU is missing');
  const masquerade = values.get('FLANNEL_IPMASQ') ?? fail('FLANNEL_IPMASQ is missing');
  if (networks.length === 0) fail('FLANNEL_NETWORK is missing');
  if (subnets.length === 0) fail('FLANNEL_SUBNET is missing');
  if (!/^\d{2,5}$/.test(mtu)) fail('FLANNEL_MTU is no number');
  return { networks, subnets, mtu: Number(mtu), masquerade: masquerade === 'true' };
}

function keyAndValue(line: string): [string, string] {
  const at = line.indexOf('=');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}

/** Several networks are parted by commas; a subnet is written as the gateway's address in it. */
function readPrefixes(text: string, fail: () => never): Prefix[] {
  if (text === '') return [];
  return text.split(',').map((one) => {
    try {
      const address = parseIfAddr(one.trim());
      return prefixOf(addrOf(address), lengthOf(address));
    } catch {
      return fail();
    }
  });
}

/** The file's text, as flanneld writes it. */
export function printSubnetEnv({ networks, subnets, mtu, masquerade }: SubnetEnv): string {
  const lines = ([4, 6] as const).flatMap((family) => {
    const infix = family === 6 ? 'IPV6_' : '';
    const own = networks.filter((network) => prefixFamily(network) === family);
    const subnet = subnets.find((one) => prefixFamily(one) === family);
    return [
      ...(own.length > 0 ? [`FLANNEL_${infix}NETWORK=${own.join(',')}`] : []),
      ...(subnet ? [`FLANNEL_${infix}SUBNET=${gatewayOf(subnet)}/${lengthOf(subnet)}`] : []),
    ];
  });
  return [...lines, `FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${masquerade}`, ''].join('\n');
}

/** The first usable address of a node's network: the bridge's. */
export function gatewayOf(subnet: Prefix): Addr {
  return addrPlus(firstAddr(subnet), 1);
}
