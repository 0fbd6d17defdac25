/** Calico's kinds: first as people write them, so that `kubectl get ippools` shows these; then as they are stored. */
import { BGP_CONFIGURATION, BGP_FILTER, BGP_PEER } from '#spec/kinds/calico/bgp.ts';
import { IP_POOL } from '#spec/kinds/calico/ip-pool.ts';
import {
  BLOCK_AFFINITY,
  IP_RESERVATION,
  IPAM_BLOCK,
  IPAM_CONFIGURATION,
  IPAM_HANDLE,
} from '#spec/kinds/calico/ipam.ts';
import {
  CALICO_NETWORK_POLICY,
  GLOBAL_NETWORK_POLICY,
  GLOBAL_NETWORK_SET,
  HOST_ENDPOINT,
  NETWORK_SET,
  PROFILE,
  TIER,
} from '#spec/kinds/calico/policy.ts';
import {
  CALICO_NODE_STATUS,
  CLUSTER_INFORMATION,
  FELIX_CONFIGURATION,
  KUBE_CONTROLLERS_CONFIGURATION,
} from '#spec/kinds/calico/settings.ts';
import type { Kind } from '#spec/kinds/kind.ts';

const ROWS = [
  BGP_CONFIGURATION,
  BGP_FILTER,
  BGP_PEER,
  BLOCK_AFFINITY,
  CALICO_NODE_STATUS,
  CLUSTER_INFORMATION,
  FELIX_CONFIGURATION,
  GLOBAL_NETWORK_POLICY,
  GLOBAL_NETWORK_SET,
  HOST_ENDPOINT,
  IPAM_BLOCK,
  IPAM_CONFIGURATION,
  IPAM_HANDLE,
  IP_POOL,
  IP_RESERVATION,
  KUBE_CONTROLLERS_CONFIGURATION,
  CALICO_NETWORK_POLICY,
  NETWORK_SET,
  PROFILE,
  TIER,
];

export const CALICO_KINDS: readonly Kind[] = [...ROWS.map(({ v3 }) => v3), ...ROWS.map(({ crd }) => crd)];
