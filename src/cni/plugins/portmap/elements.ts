/** What ports of the node lead to what ports of the pod, as elements of the table. */

import { createHash } from 'node:crypto';
import { type Placed, placeKey } from '#cni/parts/owned-elements.ts';
import type { Mapping, PortmapConf } from '#cni/plugins/portmap/conf.ts';
import { PROTOCOLS } from '#cni/plugins/portmap/conf.ts';
import { FAMILIES, mapNames, masqName } from '#cni/plugins/portmap/table.ts';
import { type Addr, bitsOf, type Family } from '#net/addr.ts';
import { addrOf, type IfAddr, lengthOf, networkOf, type Prefix, parsePrefix, prefixFamily } from '#net/prefix.ts';
import type { CniIp } from '#wire/cni/result.ts';
import { prefixExpr } from '#wire/nft/build.ts';
import type { Expr } from '#wire/nft/values.ts';

const ANYWHERE: Readonly<Record<Family, Prefix>> = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') };
const LOCALHOST = parsePrefix('127.0.0.0/8');

/** Of each family the first address of the pod: where its ports lead. */
export function podAddresses(ips: readonly CniIp[]): IfAddr[] {
  return FAMILIES.flatMap((family) => {
    const ip = ips.find(({ address }) => prefixFamily(address) === family);
    return ip ? [ip.address] : [];
  });
}

/** A digest of the conditions of a family; '' if there are none. */
export function digestOf(conf: PortmapConf, family: Family): string {
  const conditions = conf.conditions[family];
  if (conditions.length === 0) return '';
  return createHash('sha256').update(JSON.stringify(conditions)).digest('hex').slice(0, 10);
}

/** All elements of a pod; each stands there once. */
export function elementsOf(conf: PortmapConf, pod: readonly IfAddr[], owner: string): Placed[] {
  const placed = pod.flatMap((address) =>
    conf.mappings
      .filter((mapping) => mapping.families.includes(prefixFamily(address)))
      .flatMap((mapping) => [
        dnatElement(conf, mapping, addrOf(address), owner),
        ...(conf.snat ? masqElements(conf, mapping, address, owner) : []),
      ]),
  );
  return [...new Map(placed.map((one) => [placeKey(one), one])).values()];
}

function dnatElement(conf: PortmapConf, mapping: Mapping, pod: Addr, owner: string): Placed {
  const family = pod.includes(':') ? 6 : 4;
  const { ports, addrs } = mapNames(family, digestOf(conf, family));
  const asked: Expr[] = [PROTOCOLS[mapping.protocol], mapping.hostPort];
  const value: Expr = { concat: [pod, mapping.containerPort] };
  if (mapping.hostIp === undefined) return { set: ports, element: { key: { concat: asked }, value, comment: owner } };
  return { set: addrs, element: { key: { concat: [mapping.hostIp, ...asked] }, value, comment: owner } };
}

/** From the pod's own network (it would be answered past the node) and from the node's 127.0.0.1 (nobody could answer). */
function masqElements(conf: PortmapConf, mapping: Mapping, pod: IfAddr, owner: string): Placed[] {
  const family = prefixFamily(pod);
  const own = [networkOf(pod), ...(family === 4 ? [LOCALHOST] : [])];
  const sources = conf.masqAll ? [ANYWHERE[family]] : own;
  return sources.map((source) => ({
    set: masqName(family),
    element: { key: { concat: masqKey(source, mapping, addrOf(pod)) }, comment: owner },
  }));
}

function masqKey(source: Prefix, mapping: Mapping, pod: Addr): Expr[] {
  return [sourceExpr(source), pod, PROTOCOLS[mapping.protocol], mapping.containerPort];
}

/** As nft lists it: a network of one address is that address. */
function sourceExpr(source: Prefix): Expr {
  return lengthOf(source) === bitsOf(prefixFamily(source)) ? addrOf(source) : prefixExpr(source);
}

/** The parts of a key or a value. */
export function concatOf(value: Placed['element']['value']): readonly Expr[] {
  return typeof value === 'object' && 'concat' in value ? value.concat : [];
}
