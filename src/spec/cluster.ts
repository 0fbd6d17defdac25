/** What the cluster says: the complete input of the calculators, as plain values. */

import type { Addr, Family } from '#net/addr.ts';
import { type IfAddr, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { BgpSettings } from '#spec/bgp.ts';
import type { Attachment, LocalEndpoint } from '#spec/endpoint.ts';
import type { FelixSettings } from '#spec/felix.ts';
import { type EncapsulationMode, type Pool, poolOf } from '#spec/pool.ts';
import type { ServiceAddresses } from '#spec/service-addresses.ts';
import type { SaidWays } from '#spec/ways.ts';

/** A VXLAN device (RFC 7348). */
export interface VxlanDevice {
  readonly device: string;
  /** 24 bits. */
  readonly vni: number;
  /** UDP destination port. */
  readonly port: number;
}

/** The devices that a profile's tunnels have, whichever of them its pools ask for. */
export interface Devices {
  readonly vxlan: VxlanDevice;
  readonly ipip: { readonly device: string };
  /** UDP ports, one a family. */
  readonly wireguard: {
    readonly device: string;
    readonly port: number;
    readonly deviceV6: string;
    readonly portV6: number;
  };
}

/** The kinds of tunnel. */
export type TunnelKind = keyof Devices;

/** A preset: values of one code path, never a branch on its name. */
export interface Profile {
  readonly name: string;
  readonly attachment: Attachment;
  /** Name of the bridge, for attachment 'bridge'. */
  readonly bridge: string;
  /**
   * Where pods' addresses come from: the node CIDR that the controller gives (Flannel's way), or blocks of IPPools that
   * nodes claim (Calico's).
   */
  readonly ipam: 'node-cidr' | 'pools';
  /** Modes of its one pool: of the cluster's network for 'node-cidr', of the IPPool that is made first for 'pools'. */
  readonly pool: { readonly ipip: EncapsulationMode; readonly vxlan: EncapsulationMode };
  readonly devices: Devices;
  /** Who puts the routes to other nodes into the kernel: the agent by what the API says, or BIRD by what BGP says. */
  readonly distribution: 'agent' | 'bird';
  readonly encryption: 'none' | 'wireguard';
  /** Prefix of the host's ends of pods' veths. */
  readonly hostIfPrefix: string;
  readonly like: string;
  /** Offered to users. False: values of what is being built; no configuration can name it. */
  readonly ready: boolean;
}

/** Calico's names and numbers (FelixConfiguration). */
const CALICO_DEVICES: Devices = {
  vxlan: { device: 'vxlan.calico', vni: 4096, port: 4789 },
  ipip: { device: 'tunl0' },
  wireguard: { device: 'wireguard.cali', port: 51820, deviceV6: 'wg-v6.cali', portV6: 51821 },
};

/** What Calico's profiles have in common. */
const CALICO = {
  attachment: 'routed',
  bridge: '',
  ipam: 'pools',
  devices: CALICO_DEVICES,
  encryption: 'none',
  hostIfPrefix: 'cali',
  ready: false,
} as const;

/** What Flannel's profiles have in common. */
const FLANNEL = {
  attachment: 'bridge',
  bridge: 'cni0',
  ipam: 'node-cidr',
  devices: { ...CALICO_DEVICES, vxlan: { device: 'flannel.1', vni: 1, port: 8472 } },
  distribution: 'agent',
  encryption: 'none',
  hostIfPrefix: 'veth',
  ready: true,
} as const;

export const PROFILES = {
  vxlan: {
    name: 'vxlan',
    attachment: 'routed',
    bridge: '',
    ipam: 'node-cidr',
    pool: { ipip: 'never', vxlan: 'always' },
    devices: { ...CALICO_DEVICES, vxlan: { device: 'vxlan.polder', vni: 4096, port: 4789 } },
    distribution: 'agent',
    encryption: 'none',
    hostIfPrefix: 'cali',
    like: 'Calico VXLAN',
    ready: true,
  },
  'flannel-vxlan': {
    ...FLANNEL,
    name: 'flannel-vxlan',
    pool: { ipip: 'never', vxlan: 'always' },
    like: 'Flannel VXLAN',
  },
  'flannel-host-gw': {
    ...FLANNEL,
    name: 'flannel-host-gw',
    pool: { ipip: 'never', vxlan: 'never' },
    like: 'Flannel host-gw',
  },
  'calico-vxlan': {
    ...CALICO,
    name: 'calico-vxlan',
    pool: { ipip: 'never', vxlan: 'always' },
    distribution: 'agent',
    ready: true,
    like: 'Calico VXLAN',
  },
  'calico-ipip': {
    ...CALICO,
    name: 'calico-ipip',
    pool: { ipip: 'always', vxlan: 'never' },
    distribution: 'bird',
    ready: true,
    like: 'Calico IPIP',
  },
  'calico-bgp': {
    ...CALICO,
    name: 'calico-bgp',
    pool: { ipip: 'never', vxlan: 'never' },
    distribution: 'bird',
    ready: true,
    like: 'Calico BGP',
  },
  wireguard: {
    ...CALICO,
    name: 'wireguard',
    pool: { ipip: 'never', vxlan: 'never' },
    distribution: 'agent',
    encryption: 'wireguard',
    ready: true,
    like: 'Calico WireGuard',
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;

/** Profiles that a user may choose. */
export const PROFILE_NAMES: readonly ProfileName[] = Object.values<Profile & { readonly name: ProfileName }>(PROFILES)
  .filter(({ ready }) => ready)
  .map(({ name }) => name);

/** Settings of the whole cluster, from the ConfigMap `kube-system/polder-config`. */
export interface ClusterConfig {
  readonly profile: Profile;
  /** The networks that every pod's address lies in: one, or one a family. The first one's family is the nodes' own. */
  readonly clusterCidrs: readonly Prefix[];
  /** Masquerade what leaves the cluster. */
  readonly masquerade: boolean;
  /** Pods' MTU in bytes; 0: from the underlay, less the encapsulation's header. */
  readonly mtu: number;
  /** Hand packets between pods on by eBPF, past the node's stack. Absent: no. */
  readonly fastPath?: boolean;
}

/** A node as the others need to know it. */
export interface ClusterNode {
  readonly name: string;
  /** Address on the underlay (InternalIP), of the cluster network's family where it has one. */
  readonly addr: Addr;
  /** All its InternalIPs, one a family, IPv4 first. */
  readonly addrs: readonly Addr[];
  /**
   * Networks that lead to it: its node CIDRs, or its blocks. A single address that it borrowed from another node's block
   * stands as /32 or /128 and lies inside that node's network: the longest prefix wins.
   */
  readonly networks: readonly Prefix[];
  /** Addresses of its tunnel devices, one a family (annotations of Calico); absent: the first one of each network. */
  readonly tunnelAddrs?: Readonly<Partial<Record<TunnelKind, readonly Addr[]>>>;
  /** Hardware address of its VXLAN device (annotation `polder.dev/vtep-mac`), once its agent has said it. */
  readonly vtepMac?: string;
  /** WireGuard public keys, base64 (annotations `projectcalico.org/WireguardPublicKey` and `…PublicKeyV6`). */
  readonly wireguardKeys?: Readonly<Partial<Record<Family, string>>>;
  /** BGP AS number of its own (annotation `projectcalico.org/ASNumber`). */
  readonly asNumber?: number;
  /** It is a route reflector of this cluster ID (annotation `projectcalico.org/RouteReflectorClusterID`). */
  readonly routeReflectorClusterId?: Addr;
  /** Its addresses with the length of their subnets (annotations `projectcalico.org/IPv4Address`, `…/IPv6Address`). */
  readonly subnets?: readonly IfAddr[];
  /** What its agent says that it takes and sends packets by; absent: nothing yet, so it is as the settings want it. */
  readonly ways?: SaidWays;
  /** For selectors. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What only this node knows. */
export interface LocalView {
  readonly node: string;
  readonly endpoints: readonly LocalEndpoint[];
  /** Its own WireGuard public keys, base64; absent: it has none, so that nothing is encrypted. */
  readonly wireguardKeys?: Readonly<Partial<Record<Family, string>>>;
}

/** Everything that the calculators see. `local` is this node's own view: its name and the pods attached to it. */
export interface Snapshot {
  readonly config: ClusterConfig;
  readonly nodes: readonly ClusterNode[];
  /** By name. For 'node-cidr' the one pool that the cluster's network is. */
  readonly pools: readonly Pool[];
  readonly bgp: BgpSettings;
  readonly felix: FelixSettings;
  /** Services that outsiders are to reach on this node; absent where BGP says nothing of Services. */
  readonly services?: ServiceAddresses;
  readonly local: LocalView;
}

/** The pools that the cluster's networks are: of 'node-cidr' all there is, of 'pools' those that are made first. */
export function defaultPools({ profile, clusterCidrs, masquerade }: ClusterConfig): Pool[] {
  const { ipip, vxlan } = profile.pool;
  return clusterCidrs.map((cidr) => {
    const family = prefixFamily(cidr);
    return poolOf(`default-ipv${family}-ippool`, cidr, {
      // IPIP is IPv4 inside IPv4.
      ipip: family === 4 ? ipip : 'never',
      vxlan,
      natOutgoing: masquerade,
    });
  });
}

declare const syncedBrand: unique symbol;

/**
 * A value known to be complete: every list that feeds it has ended once. Only `feed` makes one, and only what takes
 * a `Synced` may delete.
 */
export type Synced<T> = T & { readonly [syncedBrand]: true };

/** What follows from a complete value alone is complete too. */
export function deriveSynced<A, B>(value: Synced<A>, derive: (value: A) => B): Synced<B> {
  return derive(value) as Synced<B>;
}
