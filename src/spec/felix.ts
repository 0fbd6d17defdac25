/** What a FelixConfiguration (Calico v3) says that the calculators need, as plain values. */

import type { Family } from '#net/addr.ts';

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
  /** `wireguardPersistentKeepAlive`, seconds; 0: off. */
  readonly keepalive: number;
  /** `wireguardRoutingRulePriority`. */
  readonly rulePriority: number;
}

export interface FelixSettings {
  readonly wireguard: WireguardSettings;
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
};
