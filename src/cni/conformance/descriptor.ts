/**
 * What the suite must know of a plugin type to try it: data only, so that anyone can describe a plugin of their own in
 * a JSON file (`--descriptors FILE`). Texts may hold `{dir}` (folder for state), `{uplink}` (an interface of the node),
 * `{ifname}`, `{n}` (number of the pod), `{port}` (a number of its own for each pod), and in effects `{ip}`, `{mac}`
 * (of the pod's interface) and `{hostif}` (the node's end).
 */

import type { Tool } from '#cni/conformance/read.ts';
import type { JsonObject } from '#wire/cni/json.ts';

export type Kind = 'main' | 'ipam' | 'meta';

/** A row that one of the tools must print. */
export interface Effect {
  readonly say: string;
  readonly in: 'pod' | 'node';
  readonly tool: Tool | 'sysctl';
  /** Part of a row; of `sysctl`: `{name, value}`. */
  readonly has: JsonObject;
  /** Is there also without this plugin, or stays after DEL: not asked to be gone. */
  readonly stays?: boolean;
  /** The other way round: such a row must not be there. */
  readonly absent?: boolean;
}

/** The same plugin with more keys. */
export interface Variant {
  readonly name: string;
  readonly conf: JsonObject;
  readonly needs?: readonly Feature[];
  readonly effects: readonly Effect[];
}

export interface Program {
  readonly in: 'node' | 'outside';
  readonly run: readonly string[];
  /** A file, or socket, that it makes when it can be used; absent: at once. One that has ended is not waited for. */
  readonly ready?: string;
}

/** Something that is changed behind the plugin's back, and which CHECK must notice. */
export interface Tamper {
  readonly say: string;
  readonly in: 'pod' | 'node';
  readonly run: readonly string[];
}

/** A node on which ADD cannot succeed: STATUS must say so. */
export interface NotReady {
  readonly say: string;
  readonly conf?: JsonObject;
  /** In the node's namespace. */
  readonly run?: readonly (readonly string[])[];
}

export interface Descriptor {
  readonly type: string;
  readonly kind: Kind;
  /** The configuration without `cniVersion`, `name` and `type`. Of an IPAM plugin: what stands in `ipam`. */
  readonly conf: JsonObject;
  /** Kernel features without which it cannot work at all. */
  readonly needs?: readonly Feature[];
  /** Main plugins of which one must have made the interface before; the first that is there is taken. */
  readonly beneath?: readonly string[];
  /** Its IPAM plugin, which must be there too. */
  readonly ipam?: string;
  /** Other plugins that it calls, which must be there too. */
  readonly calls?: readonly string[];
  /** Name of the interface in the pod; `eth0` if absent. */
  readonly ifname?: string;
  /** Why only the protocol can be tried. */
  readonly protocolOnly?: string;
  /** Commands in the node's namespace before anything. */
  readonly setup?: readonly (readonly string[])[];
  /**
   * Programs that run for the length of a case, in the node's namespace or outside of it; each ends with the case. `{bin}` is
   * the executable that is tried. One that cannot be started skips the case.
   */
  readonly programs?: readonly Program[];
  /** Commands in the node's namespace for each pod; `{netns}` is CNI_NETNS. */
  readonly perPod?: readonly (readonly string[])[];
  readonly effects?: readonly Effect[];
  readonly variants?: readonly Variant[];
  readonly tampers?: readonly Tamper[];
  readonly notReady?: NotReady;
  /** Whether packets must pass between pods, and between node and pod. Absent: not tried. */
  readonly traffic?: { readonly pods: boolean; readonly node: boolean };
  /** A second ADD of the same pod may succeed: it keeps no state and sets what is set already. */
  readonly repeatable?: boolean;
  /** What it does to an interface ends only with that. */
  readonly endsWithInterface?: boolean;
  /** Why one container cannot have it at two interfaces. */
  readonly single?: string;
  /** Keys of the configuration for a second interface of one container. */
  readonly second?: JsonObject;
  /** Its result has no interface of its own. */
  readonly noInterface?: boolean;
  /**
   * Cases that cannot hold for it, each with the reason: `chain.keeps-result` of a plugin that is there to change the
   * routes of those before it. They are told as skipped.
   */
  readonly skip?: Readonly<Record<string, string>>;
}

/** Kernel features, each with the command that shows whether it is there; run in a throw-away namespace with `up0`. */
export const FEATURES = {
  bridge: 'ip link add x0 type bridge',
  'bridge VLAN filtering': 'ip link add x0 type bridge vlan_filtering 1',
  veth: 'ip link add x0 type veth peer name x1',
  macvlan: 'ip link add x0 link up0 type macvlan mode bridge',
  ipvlan: 'ip link add x0 link up0 type ipvlan mode l2',
  VLAN: 'ip link add x0 link up0 type vlan id 7',
  dummy: 'ip link add x0 type dummy',
  VRF: 'ip link add x0 type vrf table 10',
  ifb: 'ip link add x0 type ifb',
  'tun/tap': 'ip tuntap add x0 mode tap',
  tbf: 'tc qdisc add dev up0 root tbf rate 1mbit burst 10k latency 10ms',
  'nft NAT': 'nft add table ip x0; add chain ip x0 y {type nat hook postrouting priority 100;}',
} as const;

export type Feature = keyof typeof FEATURES;
