/** Route and address scopes by name. Source: `enum rt_scope_t` of linux/rtnetlink.h. */

import type { Scope } from '#wire/netlink/values.ts';

const NUMBERS = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const satisfies Record<Scope, number>;
const NAMES = new Map<number, Scope>([
  [0, 'global'],
  [200, 'site'],
  [253, 'link'],
  [254, 'host'],
  [255, 'nowhere'],
]);

export function scopeNumber(scope: Scope): number {
  return NUMBERS[scope];
}

/** Numbers that an administrator made up count as global. */
export function scopeName(number: number): Scope {
  return NAMES.get(number) ?? 'global';
}
