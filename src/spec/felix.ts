/** What a FelixConfiguration (Calico v3) says that the calculators need, as plain values. */

import type { Family } from '#net/addr.ts';
import type { FelixConfiguration } from '#spec/calico.ts';
import { secondsOf } from '#spec/duration.ts';

type PerFamily<T> = Readonly<Record<Family, T>>;

export interface WireguardSettings {
  /** `wireguardEnabled` for IPv4 pods, `wireguardEnabledV6` for IPv6 ones. */
  readonly enabled: PerFamily<boolean>;
  /** `wireguardHostEncryptionEnabled`: what nodes themselves say to one another, too. */
  readonly hosts: boolean;
  /** `wireguardListeningPort` and `…V6`; absent: the profile's. */
  readonly ports: Partial<PerFamily<number>>;
  /** `wireguardInterfaceName` and `…V6`; absent: the profile's. */
  readonly devices: Partial<PerFamily<string>>;
  /** `wireguardMTU` and `…V6`, bytes; absent: the underlay's, less 60 or 80. */
  readonly mtus: Partial<PerFamily<number>>;
  /** `wireguardKeepAlive`, seconds; 0: off. */
  readonly keepalive: number;
  /** `wireguardRoutingRulePriority`. */
  readonly rulePriority: number;
}

export interface FelixSettings {
  readonly wireguard: WireguardSettings;
  /** `ipipMTU`, bytes; absent: the underlay's, less the header. */
  readonly ipipMtu?: number;
  /** `vxlanMTU` and `vxlanMTUV6`, bytes, by the family of the outer header; absent: as above. */
  readonly vxlanMtus: Partial<PerFamily<number>>;
  /** `vxlanPort` (UDP) and `vxlanVNI`; absent: the profile's. */
  readonly vxlan: { readonly port?: number; readonly vni?: number };
}

/** Calico's defaults. */
export const DEFAULT_FELIX: FelixSettings = {
  wireguard: {
    enabled: { 4: false, 6: false },
    hosts: false,
    ports: {},
    devices: {},
    mtus: {},
    keepalive: 0,
    rulePriority: 99,
  },
  vxlanMtus: {},
  vxlan: {},
};

/** Name of the one that holds for all nodes; `node.NAME` holds for one. */
const ALL_NODES = 'default';

/** A node's settings: its own FelixConfiguration field by field before the cluster's, as Felix reads them. */
export function felixOf(objects: readonly FelixConfiguration[], node: string): FelixSettings {
  const named = (name: string) => objects.find(({ metadata }) => metadata.name === name)?.spec ?? {};
  const spec = { ...named(ALL_NODES), ...named(`node.${node}`) };
  const { wireguard } = DEFAULT_FELIX;
  return {
    wireguard: {
      enabled: { 4: spec.wireguardEnabled ?? false, 6: spec.wireguardEnabledV6 ?? false },
      hosts: spec.wireguardHostEncryptionEnabled ?? wireguard.hosts,
      ports: perFamily(spec.wireguardListeningPort, spec.wireguardListeningPortV6),
      devices: perFamily(spec.wireguardInterfaceName, spec.wireguardInterfaceNameV6),
      mtus: perFamily(spec.wireguardMTU, spec.wireguardMTUV6),
      keepalive: secondsOf(spec.wireguardKeepAlive ?? '') ?? wireguard.keepalive,
      rulePriority: spec.wireguardRoutingRulePriority ?? wireguard.rulePriority,
    },
    ...(spec.ipipMTU ? { ipipMtu: spec.ipipMTU } : {}),
    vxlanMtus: perFamily(spec.vxlanMTU, spec.vxlanMTUV6),
    vxlan: {
      ...(spec.vxlanPort ? { port: spec.vxlanPort } : {}),
      ...(spec.vxlanVNI ? { vni: spec.vxlanVNI } : {}),
    },
  };
}

/** Calico says 0 and '' for "choose". */
function perFamily<T>(four: T | undefined, six: T | undefined): Partial<PerFamily<T>> {
  return { ...(four ? { 4: four } : {}), ...(six ? { 6: six } : {}) };
}
