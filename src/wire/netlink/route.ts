/** RTM_*ROUTE: routes. Source: rtnetlink(7), linux/rtnetlink.h. */

import { addrBytes, type Family } from '#net/addr.ts';
import { lengthOf, prefixFamily } from '#net/prefix.ts';
import * as N from '#wire/netlink/constants.ts';
import { familyNumber, familyOfNumber, readAddress, readNetwork, writeNetwork } from '#wire/netlink/family.ts';
import type { IndexToName, NameToIndex } from '#wire/netlink/names.ts';
import { readNextHop, readNextHops, writeNextHop, writeNextHops } from '#wire/netlink/next-hop.ts';
import { Attrs, header, type Span } from '#wire/netlink/reader.ts';
import { routeTypeName, routeTypeNumber } from '#wire/netlink/route-type.ts';
import { scopeName, scopeNumber } from '#wire/netlink/scope.ts';
import type { NextHop, Route } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

const RTMSG = 12;

/** Body of an RTM_NEWROUTE or RTM_DELROUTE. @throws NoSuchLink */
export function writeRoute(writer: Writer, route: Route, names: NameToIndex): void {
  const family = prefixFamily(route.to);
  const [only, ...more] = route.hops;
  writer.u8(familyNumber(family));
  writer.u8(lengthOf(route.to));
  writer.u16(0);
  // The table's number may not fit the header; the attribute counts.
  writer.u8(0);
  writer.u8(route.protocol);
  writer.u8(scopeNumber(route.scope));
  writer.u8(routeTypeNumber(route.type));
  writer.u32(more.length === 0 && only?.onlink ? N.RTNH_F_ONLINK : 0);
  writeNetwork(writer, N.RTA_DST, route.to);
  writer.attrU32(N.RTA_TABLE, route.table);
  if (route.metric !== undefined) writer.attrU32(N.RTA_PRIORITY, route.metric);
  if (route.source !== undefined) writer.attrBytes(N.RTA_PREFSRC, addrBytes(route.source));
  writeMetrics(writer, route);
  if (more.length > 0) writeNextHops(writer, route.hops, family, names);
  else if (only) writeNextHop(writer, only, family, names);
}

function writeMetrics(writer: Writer, { mtu, advmss }: Route): void {
  if (mtu === undefined && advmss === undefined) return;
  writer.nest(N.RTA_METRICS, () => {
    if (mtu !== undefined) writer.attrU32(N.RTAX_MTU, mtu);
    if (advmss !== undefined) writer.attrU32(N.RTAX_ADVMSS, advmss);
  });
}

/** Body of an RTM_GETROUTE dump; the kernel filters (strict checking). */
export function writeRouteDump(
  writer: Writer,
  filter: { readonly family: Family; readonly table?: number; readonly protocol?: number },
): void {
  writer.u32(familyNumber(filter.family));
  writer.u8(0);
  writer.u8(filter.protocol ?? 0);
  writer.u16(0);
  writer.u32(0);
  if (filter.table !== undefined) writer.attrU32(N.RTA_TABLE, filter.table);
}

/**
 * Reads an RTM_NEWROUTE or RTM_DELROUTE. Undefined for what is no route of a table: other families, types
 * without a name, cached entries, and routes through an interface that is gone. @throws SyntaxError
 */
export function readRoute(body: Span, names: IndexToName): Route | undefined {
  const at = header(body, RTMSG);
  const { view } = body;
  const family = familyOfNumber(view.getUint8(at));
  const type = routeTypeName(view.getUint8(at + 7));
  const flags = view.getUint32(at + 8, true);
  if (family === undefined || type === undefined || flags & N.RTM_F_CLONED) return undefined;
  const attrs = new Attrs(view, at + RTMSG, body.end);
  const hops = hopsOf(attrs, flags, names);
  if (hops === undefined) return undefined;
  return {
    to: readNetwork(family, view.getUint8(at + 1), attrs.bytes(N.RTA_DST)),
    type,
    table: attrs.u32(N.RTA_TABLE) ?? view.getUint8(at + 4),
    protocol: view.getUint8(at + 5),
    scope: scopeName(view.getUint8(at + 6)),
    ...optional(attrs),
    hops,
  };
}

function hopsOf(attrs: Attrs, flags: number, names: IndexToName): NextHop[] | undefined {
  const several = attrs.span(N.RTA_MULTIPATH);
  if (several) return readNextHops(several, names);
  const hop = readNextHop(attrs, attrs.u32(N.RTA_OIF) ?? 0, flags, names);
  if (hop === undefined) return undefined;
  return hop.via === undefined && hop.link === undefined ? [] : [hop];
}

function optional(attrs: Attrs): Pick<Route, 'source' | 'metric' | 'mtu' | 'advmss'> {
  const source = readAddress(attrs.bytes(N.RTA_PREFSRC));
  const metric = attrs.u32(N.RTA_PRIORITY);
  const metrics = attrs.nested(N.RTA_METRICS);
  const mtu = metrics.u32(N.RTAX_MTU);
  const advmss = metrics.u32(N.RTAX_ADVMSS);
  return {
    ...(source === undefined ? {} : { source }),
    ...(metric === undefined ? {} : { metric }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(advmss === undefined ? {} : { advmss }),
  };
}
