/** The kernel's tables as far as plan needs them, for tests without one: refuses what the kernel would refuse. */

import type { Kind } from '#plan/changes.ts';
import { FDB, NEIGHBOUR, ROUTE, RULE } from '#plan/kinds.ts';
import type { Have, PlanOp } from '#plan/objects.ts';
import { OWN_ALIAS } from '#plan/objects.ts';
import type { Link, LinkChange, NewLink, Route } from '#wire/netlink/values.ts';
import type { ListedChain, NftOp } from '#wire/nft/values.ts';
import type { WireguardDevice, WireguardOp } from '#wire/wireguard/values.ts';

export function link(name: string, attributes: Partial<Link> = {}): Link {
  const info = { kind: 'other', name: '' } as const;
  return { index: 1, name, mtu: 1500, up: true, lowerUp: true, loopback: false, group: 0, info, ...attributes };
}

/** A node after boot: its underlay, the veths of pods 5 to 7, the kernel's own tunl0. */
export function freshNode(): Have {
  const tunl0 = link('tunl0', { info: { kind: 'ipip', ttl: 0, pmtuDiscovery: false }, up: false, mtu: 1480 });
  const links = [...['lo', 'eth0', 'cali5', 'cali6', 'cali7'].map((name) => link(name)), tunl0];
  const sysctls = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'].map((name) => ({ name, value: '0' }));
  const none = { addresses: [], neighbours: [], fdb: [], routes: [], foreignRoutes: [], rules: [], wireguard: [] };
  return { links, ownLinks: new Set(), ...none, sysctls };
}

/** @throws Error where the kernel would answer with one. */
export function applyAll(have: Have, ops: readonly PlanOp[]): Have {
  return ops.reduce(apply, have);
}

function apply(have: Have, op: PlanOp): Have {
  switch (op.op) {
    case 'link.add':
      return addLink(have, op.link);
    case 'link.set': {
      const links = have.links.map((l) => (l.name === op.name ? changed(l, op.change) : l));
      const forgets = op.change.mac !== undefined;
      const ownLinks = new Set(links.filter(({ alias }) => alias === OWN_ALIAS).map(({ name }) => name));
      const flushed = op.change.up === false ? routesWithout(have, op.name) : have.routes;
      return {
        ...have,
        links,
        ownLinks,
        routes: flushed,
        neighbours: have.neighbours.filter((n) => !forgets || n.link !== op.name),
      };
    }
    case 'link.del':
      return dropLink(have, op.name);
    case 'addr.add':
      need(have, op.address.link);
      return { ...have, addresses: [...have.addresses, op.address] };
    case 'addr.del':
      return {
        ...have,
        addresses: have.addresses.filter((a) => a.link !== op.address.link || a.address !== op.address.address),
      };
    case 'neigh.replace':
      need(have, op.neighbour.link);
      return { ...have, neighbours: [...otherThan(NEIGHBOUR, op.neighbour, have.neighbours), op.neighbour] };
    case 'neigh.del':
      return { ...have, neighbours: otherThan(NEIGHBOUR, op.neighbour, have.neighbours) };
    case 'fdb.replace':
      need(have, op.entry.link);
      return { ...have, fdb: [...otherThan(FDB, op.entry, have.fdb), op.entry] };
    case 'fdb.del':
      return { ...have, fdb: otherThan(FDB, op.entry, have.fdb) };
    case 'route.add':
    case 'route.replace':
    case 'route.del':
      return changeRoute(have, op.op, op.route);
    case 'sysctl.set':
      return { ...have, sysctls: [...have.sysctls.filter((s) => s.name !== op.sysctl.name), op.sysctl] };
    case 'rule.add':
      if (have.rules.some((rule) => RULE.key(rule) === RULE.key(op.rule))) throw new Error('EEXIST rule');
      return { ...have, rules: [...have.rules, op.rule] };
    case 'rule.del':
      return { ...have, rules: otherThan(RULE, op.rule, have.rules) };
    case 'wg.set':
    case 'wg.peer':
    case 'wg.remove':
      return changeWireguard(have, op);
    case 'nft':
      return op.ops.reduce(applyNft, have);
    default:
      throw new Error(`The model has no ${op.op}`);
  }
}

function changed(there: Link, { master: _, alias, ...rest }: LinkChange): Link {
  const { alias: old, ...link } = { ...there, ...rest };
  const left = alias ?? old;
  return left ? { ...link, alias: left } : link;
}

function changeWireguard(have: Have, op: WireguardOp): Have {
  const device = have.wireguard.find(({ name }) => name === op.device);
  if (!device) throw new Error(`ENODEV ${op.device}`);
  const others = have.wireguard.filter((other) => other !== device);
  return { ...have, wireguard: [...others, wireguardAfter(device, op)] };
}

function wireguardAfter(device: WireguardDevice, op: WireguardOp): WireguardDevice {
  if (op.op === 'wg.set') {
    const { op: _o, device: _d, ...said } = op;
    return { ...device, ...said };
  }
  const key = op.op === 'wg.peer' ? op.peer.publicKey : op.publicKey;
  const peers = device.peers.filter(({ publicKey }) => publicKey !== key);
  return { ...device, peers: op.op === 'wg.peer' ? [...peers, { ...op.peer, rxBytes: 0, txBytes: 0 }] : peers };
}

function applyNft({ nft, ...have }: Have, op: NftOp): Have {
  if (op.op === 'table.delete') return have;
  const table = nft ?? { sets: [], chains: [] };
  if (op.op === 'table.add') return { ...have, nft: table };
  if (!nft) throw new Error('ENOENT: no table');
  const chains = table.chains.flatMap((chain) => chainAfter(chain, op));
  if (op.op === 'chain.add') chains.push({ ...op.chain, rules: [] });
  return { ...have, nft: { ...table, chains } };
}

function chainAfter(chain: ListedChain, op: NftOp): ListedChain[] {
  if (op.op === 'chain.delete' && op.name === chain.name) return [];
  if (op.op === 'chain.flush' && op.name === chain.name) return [{ ...chain, rules: [] }];
  if (op.op !== 'rule.add' || op.chain !== chain.name) return [chain];
  return [{ ...chain, rules: [...chain.rules, { ...op.rule, handle: chain.rules.length + 1 }] }];
}

function otherThan<T>(kind: Kind<T>, item: T, items: readonly T[]): T[] {
  return items.filter((other) => kind.key(other) !== kind.key(item));
}

function need(have: Have, name: string | undefined): void {
  if (name !== undefined && !have.links.some((l) => l.name === name)) throw new Error(`ENODEV ${name}`);
}

function addLink(have: Have, { name, info, mac, mtu, up }: NewLink): Have {
  if (have.links.some((l) => l.name === name)) throw new Error(`EEXIST ${name}`);
  const made = link(name, {
    info,
    alias: OWN_ALIAS,
    up: up ?? false,
    ...(mac ? { mac } : {}),
    ...(mtu ? { mtu } : {}),
  });
  const keys = info.kind === 'wireguard' ? [{ name, port: 0, mark: 0, peers: [] }] : [];
  return {
    ...have,
    links: [...have.links, made],
    ownLinks: new Set([...have.ownLinks, name]),
    wireguard: [...have.wireguard, ...keys],
  };
}

function routesWithout(have: Have, link: string): readonly Route[] {
  return have.routes.filter((r) => r.hops.every((hop) => hop.link !== link));
}

function dropLink(have: Have, name: string): Have {
  need(have, name);
  // The kernel's own tunl0, which this node has from the beginning: it says yes and keeps it.
  if (name === 'tunl0' && have.links.some((l) => l.name === name && l.info.kind === 'ipip')) return have;
  const stays = (item: { link: string }): boolean => item.link !== name;
  return {
    ...have,
    links: have.links.filter((l) => l.name !== name),
    ownLinks: new Set([...have.ownLinks].filter((own) => own !== name)),
    addresses: have.addresses.filter(stays),
    neighbours: have.neighbours.filter(stays),
    fdb: have.fdb.filter(stays),
    wireguard: have.wireguard.filter((device) => device.name !== name),
    routes: routesWithout(have, name),
  };
}

function changeRoute(have: Have, op: 'route.add' | 'route.replace' | 'route.del', route: Route): Have {
  const same = (other: Route): boolean => ROUTE.key(other) === ROUTE.key(route);
  if (op !== 'route.del') for (const hop of route.hops) need(have, hop.link);
  if (op === 'route.add' && [...have.routes, ...have.foreignRoutes].some(same)) throw new Error(`EEXIST ${route.to}`);
  if (op === 'route.del' && !have.routes.some(same)) throw new Error(`ESRCH ${route.to}`);
  const others = have.routes.filter((other) => !same(other));
  return { ...have, routes: op === 'route.del' ? others : [...others, route] };
}
