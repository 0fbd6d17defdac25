/** What a node must look like: the one plain value that the calculators make and that plan, trace and people read. */

import type { BgpState } from '#calc/bgp/state.ts';
import type { Addr, Family } from '#net/addr.ts';
import type { Mac } from '#net/mac.ts';
import type { IfAddr, Prefix } from '#net/prefix.ts';
import type { Attachment } from '#spec/endpoint.ts';
import type { SaidWays } from '#spec/ways.ts';
import type { PublicKey } from '#wire/wireguard/values.ts';

/** Facts about the interface that carries packets to the other nodes, as they were read from the kernel. */
export interface Underlay {
  /** Interface name: `eth0`. */
  readonly ifname: string;
  /** Its addresses with their networks: what is on-link through it. */
  readonly addrs: readonly IfAddr[];
  /** Bytes. */
  readonly mtu: number;
  /** Networks to which routes lead by now, ours and BIRD's, those with the interface (undefined: none); absent: nobody has looked. */
  readonly told?: { readonly own: ReadonlySet<Prefix>; readonly bird: ReadonlyMap<Prefix, string | undefined> };
}

/** What not every kernel can. */
export interface Features {
  /** Interfaces of kind ipip. */
  readonly ipip: boolean;
  readonly wireguard: boolean;
}

/** Of a kernel that has everything. */
export const ALL_FEATURES: Features = { ipip: true, wireguard: true };

/** The bridge that pods hang on (attachment `bridge`). */
export interface BridgeState {
  /** Interface name: `cni0`. */
  readonly name: string;
  /** The pods' gateways: the first usable address of each node CIDR with the CIDR's length. */
  readonly addrs: readonly IfAddr[];
  /** Fixed, so that it does not change with the ports and the pods' ARP entries stay right. */
  readonly mac: Mac;
  /** Bytes. */
  readonly mtu: number;
}

/** A VXLAN device (RFC 7348) that packets to other nodes' pods leave by. */
export interface VxlanState {
  readonly kind: 'vxlan';
  /** Interface name: `flannel.1`. */
  readonly device: string;
  /** VXLAN network identifier, 24 bits. */
  readonly vni: number;
  /** UDP destination port. */
  readonly port: number;
  /** Source address of outer headers: this node's address on the underlay. */
  readonly local: Addr;
  /** Interface that carries the outer packets. */
  readonly underlay: string;
  /** Hardware address that the other nodes reckon with; see `vtepMacOf`. */
  readonly mac: Mac;
  /** First address of each node CIDR, as /32 or /128: what the node itself speaks to remote pods with. */
  readonly addrs: readonly IfAddr[];
  /** Bytes: the underlay's less the encapsulation's header. */
  readonly mtu: number;
}

/** The device for IPv4 inside IPv4 (RFC 2003); where each packet goes its route says. */
export interface IpipState {
  readonly kind: 'ipip';
  /** Interface name: `tunl0`. */
  readonly device: string;
  /** Source address of outer headers. */
  readonly local: Addr;
  /** Interface that carries the outer packets. */
  readonly underlay: string;
  /** What the node itself speaks to remote pods with, as /32. */
  readonly addrs: readonly IfAddr[];
  /** Bytes. */
  readonly mtu: number;
  /** IPv4 addresses of the other nodes, sorted: packets from nobody else are taken out of their outer header. */
  readonly remotes: readonly Addr[];
  /** The kernel has no such interfaces: one of another kind stands in, and eBPF programs encapsulate. */
  readonly standIn: boolean;
}

/** A device that packets to other nodes' pods leave by. */
export type TunnelState = VxlanState | IpipState;

/** A node to which traffic is encrypted. */
export interface EncryptedPeer {
  /** Name of the node. */
  readonly node: string;
  readonly publicKey: PublicKey;
  readonly endpoint: Addr;
  /** UDP. */
  readonly port: number;
  /** What it may send from: its pods' networks and its own address. */
  readonly allowedIps: readonly Prefix[];
  /** What leads to it encrypted. */
  readonly routes: readonly Prefix[];
}

/** A WireGuard device and its routing table, of one family. */
export interface WireguardState {
  readonly family: Family;
  /** Interface name: `wireguard.cali`. */
  readonly device: string;
  /** UDP port that it listens on. */
  readonly port: number;
  /** This node's own key. */
  readonly publicKey: PublicKey;
  /** What the node itself speaks to remote pods with. */
  readonly addrs: readonly IfAddr[];
  /** Bytes. */
  readonly mtu: number;
  /** Seconds; 0: off. */
  readonly keepalive: number;
  /** Of the rule that leads what WireGuard has not sent itself into its table. */
  readonly rulePriority: number;
  /** Sorted by node. */
  readonly peers: readonly EncryptedPeer[];
  /** Networks that are reached encrypted or not at all: beneath the routes to the peers nothing leads there. */
  readonly closed: readonly Prefix[];
  /** Networks inside of what is encrypted that go their ordinary way: this node's own, and those of nodes without a key. */
  readonly exceptions: readonly Prefix[];
  /** Names of nodes with networks of this family that are spoken to in plain text, sorted. */
  readonly plain: readonly string[];
}

/** How packets reach a peer's pods. */
export type Way =
  /** By the peer's own address on the shared subnet (host-gw). */
  | { readonly kind: 'direct'; readonly via: Addr; readonly ifname: string }
  /** Through VXLAN: inner frame to `mac` of the peer's device, outer packet to `remote`. */
  | { readonly kind: 'vxlan'; readonly device: string; readonly vtep: Addr; readonly mac: Mac; readonly remote: Addr }
  /** Inside an IPv4 packet to `remote`, the peer's address. */
  | { readonly kind: 'ipip'; readonly device: string; readonly remote: Addr };

/** One network of another node and the way there. */
export interface PeerNetwork {
  /** Name of the node. */
  readonly node: string;
  /** Its node CIDR of one family, its block, or an address that it borrowed from another node's block. */
  readonly network: Prefix;
  readonly way: Way;
  /** Whose route leads there: the agent's; BIRD's; or the agent's beside BIRD's, which wins as long as it is there. */
  readonly route: 'agent' | 'bird' | 'beside';
}

/** A pod of this node that is reached by a route of its own (attachment `routed`). */
export interface PodRoute {
  readonly addr: Addr;
  /** The host's end of its veth. */
  readonly ifname: string;
}

/** The short cut for IPv4 packets between pods, where it is wanted: the same ways as the routes, taken by eBPF. */
export interface FastPathState {
  /** Pods of this node, however attached, sorted by address. */
  readonly pods: readonly { readonly addr: Addr; readonly ifname: string; readonly mac: Mac }[];
  /** MTU of pods' interfaces, bytes. */
  readonly podMtu: number;
  /** Next hops of the other nodes' networks; `mtu` is the leaving interface's, bytes. */
  readonly ways: readonly {
    readonly to: Prefix;
    readonly via: Addr;
    readonly ifname: string;
    readonly mtu: number;
  }[];
  /** Interfaces that packets from other nodes' pods arrive by. */
  readonly uplinks: readonly string[];
}

/** Something in the cluster's words that this node cannot turn into routes; the rest is done all the same. */
export interface Problem {
  /** What tells problems apart; each has its own sentence and advice in `problems.ts`. */
  readonly code: ProblemCode;
  /** The node that it is about. */
  readonly node: string;
  /** One sentence. */
  readonly sentence: string;
  /** What the reader can do about it. */
  readonly todo: string;
}

export type ProblemCode =
  | 'cluster-unknown'
  | 'no-underlay'
  | 'node-unknown'
  | 'no-pod-cidr'
  | 'pod-cidr-outside-cluster'
  | 'pod-cidr-overlap'
  | 'other-subnet'
  | 'family-mismatch'
  | 'node-addr-not-local'
  | 'node-addr-taken'
  | 'vtep-mac-taken'
  | 'no-node-addr'
  | 'no-ipip'
  | 'no-wireguard'
  | 'wireguard-key-missing'
  | 'wireguard-key-taken'
  | 'mtu-too-large'
  | 'mtu-too-small'
  | 'bgp-as'
  | 'bgp-peer-as'
  | 'bgp-peer-self'
  | 'bgp-peer-nobody'
  | 'bgp-peer-family'
  | 'bgp-selector'
  | 'bgp-filter'
  | 'bgp-password'
  | 'bgp-password-form'
  | 'bgp-signature';

/** Everything that this node's kernel must hold for the pod network. */
export interface NodeState {
  /** This node's name. */
  readonly node: string;
  /** Name of the profile, for people; nothing is decided by it. */
  readonly profile: string;
  /** The facts that were reckoned with. */
  readonly underlay: Underlay;
  /** How pods are attached. */
  readonly attachment: Attachment;
  /** Where this node's pods get their addresses from: `networks` are its node CIDRs, or its blocks of pools. */
  readonly ipam: 'node-cidr' | 'pools';
  /** Networks that this node's pods get their addresses from: its node CIDRs, or its blocks. */
  readonly networks: readonly Prefix[];
  /** MTU of pods' interfaces, bytes. */
  readonly podMtu: number;
  /** Prefix of the host's ends of pods' veths. */
  readonly hostIfPrefix: string;
  /** Families in which the node has to forward. */
  readonly forwarding: readonly Family[];
  /** Present for attachment `bridge`. */
  readonly bridge?: BridgeState;
  /** The devices that its pools ask for, sorted by name; empty where nothing is encapsulated. */
  readonly tunnels: readonly TunnelState[];
  /** The other nodes' networks, sorted by node and network. */
  readonly peers: readonly PeerNetwork[];
  /** Routes to this node's own pods, sorted by address; empty for attachment `bridge` (the bridge's network is on-link). */
  readonly pods: readonly PodRoute[];
  /** Networks whose unknown addresses are dropped here, so that they do not loop over the default route. */
  readonly blackholes: readonly Prefix[];
  /** Present where traffic is encrypted, one a family. */
  readonly wireguard: readonly WireguardState[];
  /** Who is to put the routes to `peers` into the kernel; ways through VXLAN are the agent's in any case, as BGP cannot say them. */
  readonly distribution: 'agent' | 'bird';
  /** Whose packets get the node's own source address when they leave all pools; `from` empty: nobody's do. */
  readonly masquerade: { readonly from: readonly Prefix[]; readonly inside: readonly Prefix[] };
  /** What the node may say of itself once it is so: for the others, who change their ways by it. Absent: not yet. */
  readonly ways?: SaidWays;
  /** Present where it is wanted. */
  readonly fastPath?: FastPathState;
  /** Present where routes are told by BGP; then BIRD puts those into the kernel that no tunnel of the agent's carries. */
  readonly bgp?: BgpState;
  /** What could not be done, sorted; for status and the doctor. */
  readonly problems: readonly Problem[];
}

/** What the calculators answer: a whole state, or why there is none yet. Without a state nothing is changed. */
export type Outcome =
  | { readonly kind: 'ready'; readonly state: NodeState }
  | { readonly kind: 'waiting'; readonly problem: Problem };
