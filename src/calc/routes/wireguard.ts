/** Which traffic to other nodes is encrypted, and with what. */

import { isHost } from '#calc/routes/claims.ts';
import { tunnelMtu } from '#calc/routes/mtu.ts';
import { otherNodes } from '#calc/routes/peers.ts';
import { problem } from '#calc/routes/problems.ts';
import { deviceAddrs } from '#calc/routes/tunnels.ts';
import { addrOfFamily, tunnelAddrOf } from '#calc/routes/ways.ts';
import type { EncryptedPeer, Features, PeerNetwork, Problem, Underlay, WireguardState } from '#calc/state.ts';
import type { Family } from '#net/addr.ts';
import { containsPrefix, hostPrefix, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { ClusterNode, Snapshot } from '#spec/cluster.ts';
import { readPublicKey } from '#wire/wireguard/key.ts';
import type { PublicKey } from '#wire/wireguard/values.ts';

export interface Encryption {
  readonly wireguard: readonly WireguardState[];
  readonly problems: readonly Problem[];
}

/** What the calculation is about, beside the snapshot. */
interface Frame {
  readonly self: ClusterNode;
  readonly underlay: Underlay;
  readonly features: Features;
  /** Networks of the other nodes, those included that only a tunnel may reach. */
  readonly networks: readonly Pick<PeerNetwork, 'node' | 'network'>[];
}

/** Families whose traffic this node is to encrypt. */
export function familiesToEncrypt(snapshot: Omit<Snapshot, 'local'>, self: ClusterNode): Family[] {
  return ([4, 6] as const).filter((family) => isWanted(snapshot, self, family));
}

export function encryptionOf(snapshot: Snapshot, frame: Frame): Encryption {
  const families = familiesToEncrypt(snapshot, frame.self);
  if (families.length > 0 && !frame.features.wireguard)
    return { wireguard: [], problems: [problem('no-wireguard', frame.self.name)] };
  const each = families.map((family) => ofFamily(snapshot, frame, family));
  return {
    wireguard: each.flatMap(({ state }) => state ?? []),
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
  const { peers, problems } = encryptedPeers(snapshot, frame, family, publicKey, listening);
  const ways = frame.networks.filter(({ network }) => prefixFamily(network) === family);
  const encrypted = new Set(peers.map(({ node }) => node));
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
    exceptions: exceptionsTo(peers, [
      ...frame.self.networks,
      ...ways.filter(({ node }) => !encrypted.has(node)).map(({ network }) => network),
    ]),
    plain: [...new Set(ways.map(({ node }) => node).filter((node) => !encrypted.has(node)))],
  };
  return { state, problems };
}

/** A key that two nodes published goes to the first by name, and ours to nobody. */
function encryptedPeers(
  snapshot: Snapshot,
  { self, networks: all }: Frame,
  family: Family,
  own: PublicKey,
  port: number,
): { peers: EncryptedPeer[]; problems: Problem[] } {
  const holders = new Map<PublicKey, string>([[own, self.name]]);
  const networks = Map.groupBy(all, ({ node }) => node);
  const peers: EncryptedPeer[] = [];
  const problems: Problem[] = [];
  for (const node of otherNodes(snapshot, self)) {
    const owned = (networks.get(node.name) ?? [])
      .map(({ network }) => network)
      .filter((network) => prefixFamily(network) === family);
    const endpoint = addrOfFamily(node, family);
    if (owned.length === 0) continue;
    const publicKey = readPublicKey(node.wireguardKeys?.[family] ?? '');
    const holder = publicKey && holders.get(publicKey);
    if (publicKey === undefined || endpoint === undefined) {
      problems.push(problem('wireguard-key-missing', node.name, { family }));
    } else if (holder !== undefined) {
      problems.push(problem('wireguard-key-taken', node.name, { holder, family }));
    } else {
      holders.set(publicKey, node.name);
      const tunnel = tunnelAddrOf(node, 'wireguard', family);
      const pods = [...new Set([...owned, ...(tunnel === undefined ? [] : [hostPrefix(tunnel)])])];
      const routes = snapshot.felix.wireguard.hosts ? [...pods, hostPrefix(endpoint)] : pods;
      const allowedIps = [...new Set([...pods, hostPrefix(endpoint)])];
      peers.push({ node: node.name, publicKey, endpoint, port, allowedIps, routes });
    }
  }
  return { peers, problems };
}

/** Of these networks those that a peer's network holds: only borrowed addresses can. */
function exceptionsTo(peers: readonly EncryptedPeer[], networks: readonly Prefix[]): Prefix[] {
  const routes = peers.flatMap((peer) => peer.routes);
  const inside = networks.filter(
    (network) => isHost(network) && routes.some((route) => containsPrefix(route, network)),
  );
  return [...new Set(inside)].sort();
}
