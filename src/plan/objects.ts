/** The kernel's objects as plan sees them: what is wanted, what is there, and the operations between. */

import type { Address, FdbEntry, Link, Neighbour, NetlinkOp, NewLink, Route, Rule } from '#wire/netlink/values.ts';
import type { NftOp, Table, TableListing, TableRef } from '#wire/nft/values.ts';
import type { PublicKey, WireguardDevice, WireguardOp, WireguardPeer } from '#wire/wireguard/values.ts';

/** Alias of the interfaces that the agent makes: how it knows them again after a restart. */
export const OWN_ALIAS = 'polder';

/** The nft table that is ours: nothing in it is anybody else's. */
export const OWN_TABLE: TableRef = { family: 'inet', name: 'polder' };

/** The routing table of what is encrypted, one a family; only routes in it that bear our protocol are ours. */
export const WIREGUARD_TABLE = 77;

/** Of our routes that stand beside BIRD's (metric 0, of IPv6 1024): taken when those go. */
export const BESIDE_METRIC = 4096;

/** Mark of the packets that WireGuard itself sends: they keep out of its table. The bit that Calico takes for it. */
export const WIREGUARD_MARK = 0x100000;

/** What a WireGuard device is to know. */
export interface WantedWireguard {
  /** Interface name. */
  readonly device: string;
  readonly publicKey: PublicKey;
  readonly port: number;
  readonly mark: number;
  readonly peers: readonly WireguardPeer[];
}

export interface Sysctl {
  /** Dotted, as sysctl(8) has it: `net.ipv4.ip_forward`. */
  readonly name: string;
  readonly value: string;
}

/** Everything that the node's kernel must hold. */
export interface Wanted {
  readonly links: readonly NewLink[];
  readonly addresses: readonly Address[];
  readonly neighbours: readonly Neighbour[];
  readonly fdb: readonly FdbEntry[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly wireguard: readonly WantedWireguard[];
  readonly sysctls: readonly Sysctl[];
  /** Our nft table; without chains it is not to be there. */
  readonly nft: Table;
}

/** What was read from the kernel: of each kind only what is ours, beside what can stand in our way. */
export interface Have {
  /** Every interface: routes lead over foreign ones too, and a name may be taken. */
  readonly links: readonly Link[];
  /** Names of the interfaces that are ours. */
  readonly ownLinks: ReadonlySet<string>;
  readonly addresses: readonly Address[];
  readonly neighbours: readonly Neighbour[];
  readonly fdb: readonly FdbEntry[];
  readonly routes: readonly Route[];
  /** Routes of others, which no operation may replace. */
  readonly foreignRoutes: readonly Route[];
  readonly rules: readonly Rule[];
  /** Our own devices of that kind. */
  readonly wireguard: readonly WireguardDevice[];
  /** Present values of the wanted names; one that the kernel does not have is absent. */
  readonly sysctls: readonly Sysctl[];
  /** Our nft table, if there is one. */
  readonly nft?: TableListing;
}

/** One change: a value that prints as the line of `ip`, `bridge`, `wg`, `nft` or `sysctl` that does the same. */
export type PlanOp =
  | NetlinkOp
  | WireguardOp
  | { readonly op: 'sysctl.set'; readonly sysctl: Sysctl }
  /** A transaction: all of its commands take effect together, or none. */
  | { readonly op: 'nft'; readonly table: TableRef; readonly ops: readonly NftOp[] };

/** A wanted object that no operation can bring about at present. */
export interface Obstacle {
  /** 'taken': somebody else's object has its place. 'absent': the interface that it leads over is not there. */
  readonly kind: 'taken' | 'absent';
  /** The object as `ip` names it: `route 10.244.2.0/24`. */
  readonly object: string;
  /** One sentence. */
  readonly sentence: string;
}

export interface Plan {
  readonly ops: readonly PlanOp[];
  readonly obstacles: readonly Obstacle[];
}
