/** What is said of each profile elsewhere, and what it is to reach here: a row each. */

import type { ProfileName } from '#spec/cluster.ts';

export interface ProfileRow {
  /** Whose way it is, and by which mode. */
  readonly like: string;
  readonly encapsulation: string;
  /** Loss of throughput that is commonly told of it. */
  readonly told: string;
  /** Least share of the bare underlay's throughput, one stream between pods of two nodes. Absent: only shown. */
  readonly target?: number;
}

export const PROFILE_ROWS = {
  vxlan: { like: 'Calico VXLAN', encapsulation: 'VXLAN', told: '10-20 %', target: 0.88 },
  'flannel-vxlan': { like: 'Flannel VXLAN', encapsulation: 'VXLAN', told: '10-20 %', target: 0.88 },
  'flannel-host-gw': { like: 'Flannel Host-Gateway', encapsulation: 'none', told: '< 5 %', target: 0.95 },
  'calico-vxlan': { like: 'Calico VXLAN, Always', encapsulation: 'VXLAN', told: '10-20 %', target: 0.88 },
  'calico-ipip': { like: 'Calico IPIP, Always', encapsulation: 'IPIP', told: '5-10 %', target: 0.9 },
  'calico-bgp': { like: 'Calico BGP', encapsulation: 'none', told: '< 5 %', target: 0.95 },
  wireguard: { like: 'Calico WireGuard', encapsulation: 'WireGuard', told: '' },
} as const satisfies Record<ProfileName, ProfileRow>;
