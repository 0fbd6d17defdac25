/** Types of routes by name. Source: linux/rtnetlink.h, `enum` of RTN_*. */

import type { RouteType } from '#wire/netlink/values.ts';

const NUMBERS = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} as const satisfies Record<RouteType, number>;

const NAMES = new Map<number, RouteType>(Object.entries(NUMBERS).map(([name, number]) => [number, name as RouteType]));

export function routeTypeNumber(type: RouteType): number {
  return NUMBERS[type];
}

/** Undefined for a type that has no name here. */
export function routeTypeName(number: number): RouteType | undefined {
  return NAMES.get(number);
}
