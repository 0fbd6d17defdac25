/** Interfaces: which to make, to change, to make anew, to delete. */

import { immutable } from '#plan/kinds.ts';
import type { Have, Obstacle } from '#plan/objects.ts';
import type { Link, LinkChange, NewLink } from '#wire/netlink/values.ts';

export interface LinkChanges {
  readonly add: readonly NewLink[];
  readonly set: readonly { readonly name: string; readonly change: LinkChange }[];
  /** To be deleted first and made again: something differs that cannot be changed. */
  readonly anew: readonly NewLink[];
  /** Ours and wanted no longer. */
  readonly remove: readonly string[];
  /** Wanted ones whose name somebody else has. */
  readonly taken: readonly Obstacle[];
}

export function linkChanges(wanted: readonly NewLink[], have: Have): LinkChanges {
  const names = new Map(have.links.map((link) => [link.name, link]));
  const want = [...new Map(wanted.map((link) => [link.name, link])).values()].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const add: NewLink[] = [];
  const set: { name: string; change: LinkChange }[] = [];
  const anew: NewLink[] = [];
  const taken: Obstacle[] = [];
  for (const link of want) {
    const there = names.get(link.name);
    if (!there) add.push(link);
    else if (!have.ownLinks.has(link.name)) taken.push(takenBy(link, there));
    else if (immutable(there.info) !== immutable(link.info)) anew.push(link);
    else set.push(...settings(link, there));
  }
  const remove = [...have.ownLinks].filter((name) => !want.some((link) => link.name === name)).sort();
  return { add, set, anew, remove, taken };
}

function settings(want: NewLink, there: Link): { name: string; change: LinkChange }[] {
  const change: LinkChange = {
    ...(want.mac !== undefined && want.mac !== there.mac ? { mac: want.mac } : {}),
    ...(want.mtu !== undefined && want.mtu !== there.mtu ? { mtu: want.mtu } : {}),
    ...(want.up !== undefined && want.up !== there.up ? { up: want.up } : {}),
  };
  return Object.keys(change).length > 0 ? [{ name: want.name, change }] : [];
}

function takenBy(want: NewLink, there: Link): Obstacle {
  const kind = there.info.kind === 'other' ? there.info.name || 'device' : there.info.kind;
  const sentence =
    `Interface ${want.name} exists as a ${kind} that Polder did not make: ` +
    'delete it (`ip link del`), or choose a profile with another device name.';
  return { kind: 'taken', object: `link ${want.name}`, sentence };
}
