/** Interfaces: which to make, to change, to make anew, to delete. */

import { immutable } from '#plan/kinds.ts';
import { type Have, type Obstacle, OWN_ALIAS, type PlanOp } from '#plan/objects.ts';
import type { Link, LinkChange, NewLink } from '#wire/netlink/values.ts';

export interface LinkChanges {
  readonly add: readonly NewLink[];
  /** The kernel's own, which nobody uses: they become ours. */
  readonly adopt: readonly { readonly name: string; readonly change: LinkChange }[];
  readonly set: readonly { readonly name: string; readonly change: LinkChange }[];
  /** To be deleted first and made again: something differs that cannot be changed. */
  readonly anew: readonly NewLink[];
  /** Ours and wanted no longer. */
  readonly remove: readonly Link[];
  /** Wanted ones whose name somebody else has. */
  readonly taken: readonly Obstacle[];
}

export function linkChanges(wanted: readonly NewLink[], have: Have): LinkChanges {
  const names = new Map(have.links.map((link) => [link.name, link]));
  const want = [...new Map(wanted.map((link) => [link.name, link])).values()].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const add: NewLink[] = [];
  const adopt: { name: string; change: LinkChange }[] = [];
  const set: { name: string; change: LinkChange }[] = [];
  const anew: NewLink[] = [];
  const taken: Obstacle[] = [];
  for (const link of want) {
    const there = names.get(link.name);
    if (!there) add.push(link);
    else if (isIdle(link, there))
      adopt.push({ name: link.name, change: { alias: OWN_ALIAS, ...changeOf(link, there) } });
    else if (!have.ownLinks.has(link.name)) taken.push(takenBy(link, there));
    else if (immutable(there.info) !== immutable(link.info)) anew.push(link);
    else set.push(...settings(link, there));
  }
  const unwanted = [...have.ownLinks].filter((name) => !want.some((link) => link.name === name)).sort();
  return { add, adopt, set, anew, remove: unwanted.flatMap((name) => names.get(name) ?? []), taken };
}

/**
 * The tunl0 that comes with the kernel's IPIP, one in every namespace, and takes the place of any other device for all
 * remote addresses. Whoever uses it has set it up or has named it.
 */
function isIdle({ info }: NewLink, there: Link): boolean {
  if (info.kind !== 'ipip' || there.info.kind !== 'ipip') return false;
  return !there.up && there.alias === undefined && immutable(there.info) === immutable(info);
}

/** MTU of the kernel's own tunl0. */
const TUNL0_MTU = 1480;

/**
 * An IPIP device may be the kernel's own, which cannot be deleted (the kernel says yes and keeps it): it is put back as
 * it was first.
 */
export function removal({ name, info }: Link): PlanOp[] {
  const back: PlanOp = { op: 'link.set', name, change: { alias: '', up: false, mtu: TUNL0_MTU } };
  return [...(info.kind === 'ipip' ? [back] : []), { op: 'link.del', name }];
}

function settings(want: NewLink, there: Link): { name: string; change: LinkChange }[] {
  const change = changeOf(want, there);
  return Object.keys(change).length > 0 ? [{ name: want.name, change }] : [];
}

function changeOf(want: NewLink, there: Link): LinkChange {
  return {
    ...(want.mac !== undefined && want.mac !== there.mac ? { mac: want.mac } : {}),
    ...(want.mtu !== undefined && want.mtu !== there.mtu ? { mtu: want.mtu } : {}),
    ...(want.up !== undefined && want.up !== there.up ? { up: want.up } : {}),
  };
}

function takenBy(want: NewLink, there: Link): Obstacle {
  const kind = there.info.kind === 'other' ? there.info.name || 'device' : there.info.kind;
  const sentence =
    `Interface ${want.name} exists as a ${kind} that Polder did not make: ` +
    'delete it (`ip link del`), or choose a profile with another device name.';
  return { kind: 'taken', object: `link ${want.name}`, sentence };
}
