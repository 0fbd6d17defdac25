/** Which traffic to other nodes is encrypted, and with what. */

import { commonKinds } from '#calc/routes/change-over.ts';
import { isHost } from '#calc/routes/claims.ts';
import { tunnelMtu } from '#calc/routes/mtu.ts';
import { otherNodes } from '#calc/routes/peers.ts';
import { problem } from '#calc/routes/problems.ts';
import { deviceAddrs } from '#calc/routes/tunnels.ts';
import { addrOfFamily, tunnelAddrOf } from '#calc/routes/ways.ts';
import type { EncryptedPeer, Features, PeerNetwork, Problem, Underlay, Way, WireguardState } from '#calc/state.ts';
import type { Family } from '#net/addr.ts';
import { containsPrefix, hostPrefix, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';
import type { WayKind } from '#spec/ways.ts';
import { readPublicKey } from '#wire/wireguard/key.ts';
import type { PublicKey } from '#wire/wireguard/values.ts';

export interface Encryption {
  readonly wireguard: readonly WireguardState[];
  /** Whether others may encrypt to this node: `soon`, when the cluster has heard its keys; `no`: it is not wanted. */
  readonly offer: 'no' | 'soon' | 'yes';
  readonly problems: readonly Problem[];
}

/** What the calculation is about, beside the snapshot. */
interface Frame {
  readonly self: ClusterNode;
  readonly underlay: Underlay;
  readonly features: Features;
  /** Networks of the other nodes with their ways; those without one only a tunnel may reach. */
  readonly networks: readonly (Pick<PeerNetwork, 'node' | 'network'> & { readonly way?: Way })[];
  /** Kinds of ways that the pools ask for. */
  readonly asked: ReadonlySet<WayKind>;
}

/** Families whose traffic this node is to encrypt, and those in which others may still encrypt to it. */
export function familiesToEncrypt(snapshot: Omit<Snapshot, 'local'>, self: ClusterNode): Family[] {
  const taken = self.ways?.accepts.includes('wireguard') === true;
  return ([4, 6] as const).filter(
    (family) => isWanted(snapshot, self, family) || (taken && self.wireguardKeys?.[family] !== undefined),
  );
}

export function encryptionOf(snapshot: Snapshot, frame: Frame): Encryption {
  const families = familiesToEncrypt(snapshot, frame.self);
  if (families.length > 0 && !frame.features.wireguard)
    return { wireguard: [], offer: 'no', problems: [problem('no-wireguard', frame.self.name)] };
  const each = families.map((family) => ofFamily(snapshot, frame, family));
  const wanted = families.filter((family) => isWanted(snapshot, frame.self, family));
  return {
    wireguard: each.flatMap(({ state }) => state ?? []),
    offer: wanted.length === 0 ? 'no' : wanted.every((family) => frame.self.wireguardKeys?.[family]) ? 'yes' : 'soon',
    problems: each.flatMap(({ problems }) => problems),
  };
}

/** By the profile for all families that the cluster has, or by the FelixConfiguration for one. */
function isWanted({ config, felix, pools }: Omit<Snapshot, 'local'>, self: ClusterNode, family: Family): boolean {
  const asked = config.profile.encryption === 'wireguard' || felix.wireguard.enabled[family];
  const has = pools.some(({ cidr }) => prefixFamily(cidr) === family) && addrOfFamily(self, family) !== undefined;
  return asked && has;
}

interface OfFamily {
  readonly state: WireguardState | undefined;
  readonly problems: readonly Problem[];
}

function ofFamily(snapshot: Snapshot, frame: Frame, family: Family): OfFamily {
  const publicKey = readPublicKey(snapshot.local.wireguardKeys?.[family] ?? '');
  // The agent makes the key as soon as it sees that one is wanted.
  if (publicKey === undefined) return { state: undefined, problems: [] };
  const { wireguard } = snapshot.felix;
  const { device, port, deviceV6, portV6 } = snapshot.config.profile.devices.wireguard;
  const listening = wireguard.ports[family] ?? (family === 4 ? port : portV6);
  const { peers, closed, problems } = encryptedPeers(snapshot, frame, family, publicKey, listening);
  const ways = frame.networks.filter(({ network }) => prefixFamily(network) === family);
  const encrypted = new Set(peers.filter(({ routes }) => routes.length > 0).map(({ node }) => node));
  const open = ways.filter(({ node, network }) => !encrypted.has(node) && !closed.includes(network));
  const state: WireguardState = {
    family,
    device: wireguard.devices[family] ?? (family === 4 ? device : deviceV6),
    port: listening,
    publicKey,
    addrs: deviceAddrs(snapshot, frame.self, 'wireguard', [family]),
    mtu: wireguard.mtus[family] ?? tunnelMtu('wireguard', frame.underlay.mtu, family),
    keepalive: wireguard.keepalive,
    rulePriority: wireguard.rulePriority,
    peers,
    closed,
    exceptions: exceptionsTo(peers, [...frame.self.networks, ...open.map(({ network }) => network)]),
    plain: [...new Set(open.map(({ node }) => node))],
  };
  return { state, problems };
}

interface Peers {
  readonly peers: EncryptedPeer[];
  /** Networks that are never sent to in plain text. */
  readonly closed: Prefix[];
  readonly problems: Problem[];
}

/** A key that two nodes published goes to the first by name, and ours to nobody. */
function encryptedPeers(snapshot: Snapshot, frame: Frame, family: Family, own: PublicKey, port: number): Peers {
  const { self } = frame;
  const holders = new Map<PublicKey, string>([[own, self.name]]);
  const networks = Map.groupBy(frame.networks, ({ node }) => node);
  const peers: EncryptedPeer[] = [];
  const closed: Prefix[] = [];
  const problems: Problem[] = [];
  const must = isWanted(snapshot, self, family);
  for (const node of otherNodes(snapshot, self)) {
    const ways = (networks.get(node.name) ?? []).filter(({ network }) => prefixFamily(network) === family);
    const owned = ways.map(({ network }) => network);
    const endpoint = addrOfFamily(node, family);
    if (owned.length === 0) continue;
    const shut = must && isClosed(snapshot, self, node);
    if (shut) closed.push(...owned);
    const fate = shut ? 'waits' : 'is not encrypted';
    const publicKey = readPublicKey(node.wireguardKeys?.[family] ?? '');
    const holder = publicKey && holders.get(publicKey);
    if (publicKey === undefined || endpoint === undefined) {
      if (must) problems.push(problem('wireguard-key-missing', node.name, { family, fate }));
    } else if (holder !== undefined) {
      problems.push(problem('wireguard-key-taken', node.name, { holder, family, fate }));
    } else {
      holders.set(publicKey, node.name);
      const tunnel = tunnelAddrOf(node, 'wireguard', family);
      const pods = [...new Set([...owned, ...(tunnel === undefined ? [] : [hostPrefix(tunnel)])])];
      const led = snapshot.felix.wireguard.hosts ? [...pods, hostPrefix(endpoint)] : pods;
      const routes = isEncrypted(frame, node, must, ways) ? led : [];
      const allowedIps = [...new Set([...pods, hostPrefix(endpoint)])];
      peers.push({ node: node.name, publicKey, endpoint, port, allowedIps, routes });
    }
  }
  return { peers, closed, problems };
}

/**
 * Once both take it; with nodes that say nothing of their ways, by the key alone. What is wanted no longer goes on until
 * what replaces it is in use.
 */
function isEncrypted({ self, asked }: Frame, node: ClusterNode, wanted: boolean, ways: Frame['networks']): boolean {
  const both = commonKinds(self, node);
  if (wanted) return both === undefined || both.includes('wireguard');
  return both?.includes('wireguard') === true && ways.some(({ way }) => way === undefined || !asked.has(way.kind));
}

/**
 * A profile that encrypts sends nothing in plain text, whatever becomes of keys, unless one of the two nodes says that it
 * does not take it encrypted: the cluster is changing over, or a kernel has no WireGuard.
 */
function isClosed({ config }: Snapshot, ...both: readonly ClusterNode[]): boolean {
  const takes = ({ ways }: ClusterNode) => !ways || ways.accepts.includes('wireguard');
  return config.profile.encryption === 'wireguard' && both.every(takes);
}

/** Of these networks those that a peer's network holds: only borrowed addresses can. */
function exceptionsTo(peers: readonly EncryptedPeer[], networks: readonly Prefix[]): Prefix[] {
  const routes = peers.flatMap((peer) => peer.routes);
  const inside = networks.filter(
    (network) => isHost(network) && routes.some((route) => containsPrefix(route, network)),
  );
  return [...new Set(inside)].sort();
}
