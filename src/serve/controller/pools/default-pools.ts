/**
 * Makes the first IPPools of a cluster whose profile takes addresses from pools: the cluster's networks with the
 * profile's modes, as Calico's node does at its first start. Where there is any pool, people look after them.
 */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import type { World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING, type Write } from '#serve/controller/write.ts';
import { IP_POOLS, type IpPool } from '#spec/calico.ts';
import { defaultPools as poolsOf } from '#spec/cluster.ts';
import { CONFIG_MAP, parseConfig } from '#spec/config.ts';
import { CONFIG_MAPS, keyText } from '#spec/k8s.ts';
import type { EncapsulationMode, Pool } from '#spec/pool.ts';

const ALL = ['pools'] as const;
const MODES: Readonly<Record<EncapsulationMode, string>> = {
  always: 'Always',
  'cross-subnet': 'CrossSubnet',
  never: 'Never',
};

export const defaultPools: Controller = {
  name: 'default-pools',
  needs: [CONFIG_MAPS, IP_POOLS],
  keys: () => ALL,
  wake: (resource, change) => {
    if (isOf(CONFIG_MAPS, resource, change)) return change.key === keyText(CONFIG_MAP) ? ALL : [];
    return isOf(IP_POOLS, resource, change) ? ALL : [];
  },
  decide,
};

function decide(world: World): Decision {
  const settings = world.of(CONFIG_MAPS).get(keyText(CONFIG_MAP));
  const result = settings === undefined ? undefined : parseConfig(settings.data);
  if (result?.kind !== 'config' || result.config.profile.ipam !== 'pools') return NOTHING;
  if (world.of(IP_POOLS).size > 0) return NOTHING;
  return decision(poolsOf(result.config).map(ensure));
}

function ensure(pool: Pool): Write {
  return { verb: 'ensure', resource: IP_POOLS, object: objectOf(pool) };
}

function objectOf({ name, cidr, blockSize, ipip, vxlan, natOutgoing, nodeSelector }: Pool): IpPool {
  return {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'IPPool',
    metadata: { name },
    spec: { cidr, blockSize, ipipMode: MODES[ipip], vxlanMode: MODES[vxlan], natOutgoing, nodeSelector },
  };
}
