/** Names and hardware addresses that the plugin gives: the same for the same pod, so that people can find them. */

import { hash } from 'node:crypto';
import { type Addr, addrBytes, familyOf } from '#net/addr.ts';
import { localMac, type Mac, macFromBytes, parseMac } from '#net/mac.ts';
import type { CniRequest } from '#wire/cni/request.ts';

/** IFNAMSIZ less the final NUL. */
const LONGEST = 15;
const DIGITS = 11;

/** Every host's end of a routed pod has this one, as Calico's: the pod's neighbour entry needs no look-up. */
export const HOST_MAC = parseMac('ee:ee:ee:ee:ee:ee');

/**
 * Candidates for the host's end of a pod's veth: first Calico's own way of naming (`cali` and eleven digits of
 * sha1("namespace.pod")), then, if a pod of the same name still has that, one with the container in it.
 */
export function hostIfnames(prefix: string, request: CniRequest): string[] {
  const namespace = request.args.get('K8S_POD_NAMESPACE');
  const pod = request.args.get('K8S_POD_NAME');
  const more = request.ifname === 'eth0' ? '' : `.${request.ifname}`;
  const own = hashed(prefix, `${request.containerId}.${request.ifname}`);
  return namespace && pod ? [hashed(prefix, `${namespace}.${pod}${more}`), own] : [own];
}

function hashed(prefix: string, of: string): string {
  const digits = hash('sha1', of).slice(0, DIGITS);
  return `${prefix}${digits}`.slice(0, LONGEST);
}

/**
 * The pod's hardware address, made of its IP address as the reference `bridge` did (0a:58 and the four octets): who
 * gets an address again is found by neighbours that still remember it.
 */
export function podMac(addrs: readonly Addr[], request: CniRequest): Mac {
  const v4 = addrs.find((addr) => familyOf(addr) === 4);
  if (v4) return macOf(v4);
  return localMac(hash('sha1', `${request.containerId}.${request.ifname}`, 'buffer').subarray(0, 6));
}

/** 0a:58 and an IPv4 address. */
export function macOf(v4: Addr): Mac {
  return macFromBytes(Uint8Array.of(0x0a, 0x58, ...addrBytes(v4)));
}
