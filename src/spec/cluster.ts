/** What the cluster says: the complete input of the calculators, as plain values. */

import type { Addr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import type { Attachment, LocalEndpoint } from '#spec/endpoint.ts';

/** How packets get from node to node. */
export type Encapsulation =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'vxlan';
      readonly device: string;
      /** 24 bits. */
      readonly vni: number;
      /** UDP destination port. */
      readonly port: number;
    };

/** A preset: values of one code path, never a branch on its name. */
export interface Profile {
  readonly name: string;
  readonly attachment: Attachment;
  /** Name of the bridge, for attachment 'bridge'. */
  readonly bridge: string;
  readonly encapsulation: Encapsulation;
  /** Prefix of the host's ends of pods' veths. */
  readonly hostIfPrefix: string;
  readonly like: string;
}

export const PROFILES = {
  vxlan: {
    name: 'vxlan',
    attachment: 'routed',
    bridge: '',
    encapsulation: { kind: 'vxlan', device: 'vxlan.polder', vni: 4096, port: 4789 },
    hostIfPrefix: 'cali',
    like: 'Calico VXLAN',
  },
  'flannel-vxlan': {
    name: 'flannel-vxlan',
    attachment: 'bridge',
    bridge: 'cni0',
    encapsulation: { kind: 'vxlan', device: 'flannel.1', vni: 1, port: 8472 },
    hostIfPrefix: 'veth',
    like: 'Flannel VXLAN',
  },
  'flannel-host-gw': {
    name: 'flannel-host-gw',
    attachment: 'bridge',
    bridge: 'cni0',
    encapsulation: { kind: 'none' },
    hostIfPrefix: 'veth',
    like: 'Flannel host-gw',
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;

/** Settings of the whole cluster, from the ConfigMap `kube-system/polder-config`. */
export interface ClusterConfig {
  readonly profile: Profile;
  /** The network that every pod's address lies in. */
  readonly clusterCidr: Prefix;
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
  /** Address on the underlay (InternalIP). */
  readonly addr: Addr;
  /** Networks that its pods' addresses come from, one a family. */
  readonly podCidrs: readonly Prefix[];
  /** Hardware address of its VXLAN device (annotation `polder.dev/vtep-mac`), once its agent has said it. */
  readonly vtepMac?: string;
}

/** Everything that the calculators see. `local` is this node's own view: its name and the pods attached to it. */
export interface Snapshot {
  readonly config: ClusterConfig;
  readonly nodes: readonly ClusterNode[];
  readonly local: { readonly node: string; readonly endpoints: readonly LocalEndpoint[] };
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
