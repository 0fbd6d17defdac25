/** What a CNI plugin is, and what it is given. A plugin is a folder below plugins/ with one such value. */

import type { LeaseFolder, LeaseTender } from '#cni/dhcp/folder.ts';
import type { EndpointStore } from '#cni/ipam/store.ts';
import type { LinkRemover } from '#cni/link-remover.ts';
import type { Log } from '#cni/log.ts';
import type { AddressBook } from '#cni/pools/book.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import type { KernelNft } from '#kernel/nft/nft.ts';
import type { NodeNetwork } from '#spec/node-network.ts';
import type { NetConf } from '#wire/cni/conf.ts';
import type { CniRequest } from '#wire/cni/request.ts';
import type { CniResult } from '#wire/cni/result.ts';

/** The pod's network namespace, open for the length of one call. */
export interface PodNetns extends Disposable {
  readonly fd: number;
  /** As the caller named it: what `sandbox` of the result says. */
  readonly path: string;
  readonly netlink: Netlink;
  /** Runs `fn`, which must be synchronous, inside: sockets made and processes spawned in it belong there. */
  within<T>(fn: () => T): T;
  readSysctl(name: string): string;
  writeSysctl(name: string, value: string): void;
}

/** The network namespace of whoever ran the plugin: there the host's side is made, as the reference plugins do. */
export interface CallerNetns {
  /** Descriptor of it, open for the length of the call. */
  readonly fd: number;
  readonly netlink: Netlink;
  /** Deletes interfaces of it. */
  readonly remover: LinkRemover;
  /** nftables of it; made at its first use. */
  readonly nft: KernelNft;
  /** Opens CNI_NETNS as the caller sees it. @throws PolderError cni-netns (CNI code 8). */
  openPod(path: string): PodNetns;
  /** A path as the caller sees it -> one that this process can open: the caller may have other mounts. */
  seen(path: string): string;
  /** Runs `fn`, which must be synchronous, in it. */
  within<T>(fn: () => T): T;
  readSysctl(name: string): string;
  writeSysctl(name: string, value: string): void;
}

/** What the node lends to plugins. */
export interface PluginHost {
  /** The plugin of this type, if it is one of ours: one may call another (`delegate.ts`). */
  readonly plugin: (type: string) => Promise<Plugin | undefined>;
  readonly store: EndpointStore;
  /** Where pods' addresses come from. */
  readonly addresses: AddressBook;
  /** Undefined until the agent knows its node. */
  readonly nodeNetwork: () => NodeNetwork | undefined;
  /** The file that flanneld would write, if the agent writes one for its node. */
  readonly subnetFile?: string;
  /** How the agent reaches the API. */
  readonly kubeconfig?: string;
  /** DHCP leases of the node's pods; the keeper is the agent's: without one, nobody renews them. */
  readonly leases?: { readonly folder: LeaseFolder; readonly keeper?: LeaseTender };
  readonly log: Log;
}

export interface PluginCall {
  readonly request: CniRequest;
  readonly conf: NetConf;
  readonly caller: CallerNetns;
  readonly host: PluginHost;
  /** Types of the plugins by which it was delegated to this one, outermost first; absent: by none. */
  readonly delegatedBy?: readonly string[];
}

/** Each verb returns, or throws a PolderError whose row carries the CNI code. */
export interface Plugin {
  /** Name of the executable: `type` of the configuration. */
  readonly type: string;
  /** A failed ADD has undone itself when it throws. */
  add(call: PluginCall): Promise<CniResult>;
  /** Succeeds if there is nothing (left) to delete. */
  del(call: PluginCall): Promise<void>;
  check(call: PluginCall): Promise<void>;
  status(call: PluginCall): Promise<void>;
  gc(call: PluginCall): Promise<void>;
}
