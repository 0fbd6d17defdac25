/**
 * Wanted and present objects -> ordered operations. All ordering lives here:
 *
 * 1. devices that have to be made anew go, and with them all that hangs on them;
 * 2. devices come and are set, then their addresses;
 * 3. forwarding, and what is done to packets that are forwarded;
 * 4. keys and peers, neighbours and forwarding entries, before the routes that lead packets to them;
 * 5. routes, then the rules that lead into their tables;
 * 6. what is ours and wanted no longer goes: rules, routes, then what they led to, devices last.
 */

import { type Changes, compare } from '#plan/changes.ts';
import { ADDRESS, FDB, NEIGHBOUR, ROUTE, RULE, SYSCTL } from '#plan/kinds.ts';
import { type LinkChanges, linkChanges, removal } from '#plan/links.ts';
import { type NftChanges, nftChanges, nftOp } from '#plan/nft.ts';
import type { Have, Obstacle, Plan, PlanOp, Sysctl, Wanted } from '#plan/objects.ts';
import { type WireguardChanges, wireguardChanges } from '#plan/wireguard.ts';
import type { Synced } from '#spec/cluster.ts';
import type { Address, FdbEntry, Neighbour, NewLink, Route, Rule } from '#wire/netlink/values.ts';

/** Everything that parts the kernel from the wanted objects. Takes only what follows from a complete snapshot: it deletes. */
export function diff(wanted: Synced<Wanted>, have: Have): Plan {
  const all = changesOf(wanted, have, true);
  return { ops: steps(all, true), obstacles: all.obstacles };
}

/**
 * Only what is missing: for a snapshot that may be out of date (read from disk while the API is away). What is there
 * was put there by somebody who knew at least as much, so it is neither changed nor deleted.
 */
export function diffAdditions(wanted: Wanted, have: Have): Plan {
  const all = changesOf(wanted, have, false);
  return { ops: steps(all, false), obstacles: all.obstacles };
}

interface AllChanges {
  readonly links: LinkChanges;
  readonly addresses: Changes<Address>;
  readonly neighbours: Changes<Neighbour>;
  readonly fdb: Changes<FdbEntry>;
  readonly routes: Changes<Route>;
  readonly rules: Changes<Rule>;
  readonly wireguard: WireguardChanges;
  readonly sysctls: Changes<Sysctl>;
  readonly nft: NftChanges;
  readonly obstacles: readonly Obstacle[];
}

function changesOf(wanted: Wanted, have: Have, alter: boolean): AllChanges {
  const links = linkChanges(wanted.links, have);
  const usable = usableLinks(links, have);
  const gone = new Set(alter ? links.anew.map((link) => link.name) : []);
  // A device that gets another hardware address forgets its neighbours.
  const newMac = alter ? links.set.filter((set) => set.change.mac) : [];
  const forgets = new Set([...gone, ...newMac.map((set) => set.name)]);
  const routes = routesThatFit(wanted.routes, have, usable);
  return {
    links,
    addresses: compare(ADDRESS, on(usable, wanted.addresses), without(gone, have.addresses)),
    neighbours: compare(NEIGHBOUR, on(usable, wanted.neighbours), without(forgets, have.neighbours)),
    fdb: compare(FDB, on(usable, wanted.fdb), without(gone, have.fdb)),
    routes: compare(
      ROUTE,
      routes.fit,
      have.routes.filter((route) => !leadsOver(route, gone)),
    ),
    rules: compare(RULE, wanted.rules, have.rules),
    wireguard: wireguardChanges(
      wanted.wireguard.filter(({ device }) => usable.has(device)),
      have.wireguard.filter(({ name }) => !gone.has(name)),
    ),
    // Only names that the kernel has: one that it lacks cannot be set.
    sysctls: compare(
      SYSCTL,
      wanted.sysctls.filter(({ name }) => have.sysctls.some((s) => s.name === name)),
      have.sysctls,
    ),
    nft: nftChanges(wanted.nft, have.nft),
    obstacles: [...links.taken, ...routes.obstacles],
  };
}

/** Names of the interfaces that objects can be put on, once the interfaces' own operations are done. */
function usableLinks(links: LinkChanges, have: Have): ReadonlySet<string> {
  const taken = new Set(links.taken.map(({ object }) => object));
  const names = have.links.map((link) => link.name).filter((name) => !taken.has(`link ${name}`));
  const gone = new Set(links.remove.map(({ name }) => name));
  return new Set([...names, ...links.add.map((link) => link.name)].filter((name) => !gone.has(name)));
}

function on<T extends { readonly link: string }>(links: ReadonlySet<string>, items: readonly T[]): T[] {
  return items.filter((item) => links.has(item.link));
}

function without<T extends { readonly link: string }>(links: ReadonlySet<string>, items: readonly T[]): T[] {
  return items.filter((item) => !links.has(item.link));
}

function leadsOver(route: Route, links: ReadonlySet<string>): boolean {
  return route.type === 'unicast' && route.hops.some((hop) => hop.link !== undefined && links.has(hop.link));
}

/** Parts the routes that can be made from those whose place or interface somebody else has. */
function routesThatFit(
  wanted: readonly Route[],
  have: Have,
  usable: ReadonlySet<string>,
): { fit: Route[]; obstacles: Obstacle[] } {
  const foreign = new Set(have.foreignRoutes.map(ROUTE.key));
  const obstacles: Obstacle[] = [];
  const fit = wanted.filter((route) => {
    const missing = route.hops.find((hop) => hop.link !== undefined && !usable.has(hop.link))?.link;
    if (missing !== undefined) obstacles.push(absent(route, missing));
    else if (foreign.has(ROUTE.key(route))) obstacles.push(foreignRoute(route));
    else return true;
    return false;
  });
  return { fit, obstacles };
}

function absent(route: Route, link: string): Obstacle {
  const sentence = `Interface ${link} is not there, so the route to ${route.to} over it waits.`;
  return { kind: 'absent', object: `route ${route.to}`, sentence };
}

function foreignRoute(route: Route): Obstacle {
  const sentence =
    `Somebody else has a route to ${route.to}, which Polder does not touch: ` +
    `see \`ip route show ${route.to}\` and delete it.`;
  return { kind: 'taken', object: `route ${route.to}`, sentence };
}

/** All operations in the order of the file's head; `alter` false leaves out what changes or deletes. */
function steps(all: AllChanges, alter: boolean): PlanOp[] {
  const { links, addresses, sysctls, nft, neighbours, fdb, routes, rules, wireguard } = all;
  const anew = alter ? links.anew : [];
  const changed = <T>(changes: Changes<T>): T[] => (alter ? changes.change.map(({ to }) => to) : []);
  return [
    ...anew.map(({ name }): PlanOp => ({ op: 'link.del', name })),
    ...[...links.add, ...anew].flatMap(creation),
    ...[...links.adopt, ...links.set.filter((set) => alter || onlyUp(set))].map(
      ({ name, change }): PlanOp => ({ op: 'link.set', name, change }),
    ),
    ...addresses.add.map((address): PlanOp => ({ op: 'addr.add', address })),
    ...sysctls.change.map(({ to }): PlanOp => ({ op: 'sysctl.set', sysctl: to })),
    ...nftOp([...nft.add, ...(alter ? nft.alter : [])]),
    ...wireguard.add,
    ...(alter ? wireguard.change : []),
    ...[...neighbours.add, ...changed(neighbours)].map((neighbour): PlanOp => ({ op: 'neigh.replace', neighbour })),
    ...[...fdb.add, ...changed(fdb)].map((entry): PlanOp => ({ op: 'fdb.replace', entry })),
    ...routes.add.map((route): PlanOp => ({ op: 'route.add', route })),
    ...changed(routes).map((route): PlanOp => ({ op: 'route.replace', route })),
    ...rules.add.map((rule): PlanOp => ({ op: 'rule.add', rule })),
    ...(alter ? removals(all) : []),
  ];
}

/**
 * A bridge takes an MTU that it is made with for its default and goes on to follow its ports; one that is set
 * afterwards it keeps (linux/net/bridge/br_if.c, br_mtu_auto_adjust).
 */
function creation(link: NewLink): PlanOp[] {
  const { mtu, ...rest } = link;
  if (link.info.kind !== 'bridge' || mtu === undefined) return [{ op: 'link.add', link }];
  return [
    { op: 'link.add', link: rest },
    { op: 'link.set', name: link.name, change: { mtu } },
  ];
}

function onlyUp({ change }: LinkChanges['set'][number]): boolean {
  return change.up === true && Object.keys(change).length === 1;
}

/** What hangs on a device that goes is not deleted by itself: it goes with the device, if that really goes. */
function removals({ links, addresses, neighbours, fdb, routes, rules, wireguard }: AllChanges): PlanOp[] {
  const gone = new Set(links.remove.map(({ name }) => name));
  const lasting = new Set(links.remove.filter(({ info }) => info.kind === 'ipip').map(({ name }) => name));
  const addressless = new Set([...gone].filter((name) => !lasting.has(name)));
  const stay = routes.remove.filter((route) => !leadsOver(route, gone));
  return [
    ...rules.remove.map((rule): PlanOp => ({ op: 'rule.del', rule })),
    ...stay.map((route): PlanOp => ({ op: 'route.del', route })),
    ...wireguard.remove,
    ...without(gone, fdb.remove).map((entry): PlanOp => ({ op: 'fdb.del', entry })),
    ...without(gone, neighbours.remove).map((neighbour): PlanOp => ({ op: 'neigh.del', neighbour })),
    ...without(addressless, addresses.remove).map((address): PlanOp => ({ op: 'addr.del', address })),
    ...links.remove.flatMap(removal),
  ];
}
