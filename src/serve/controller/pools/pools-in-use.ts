/**
 * Keeps an IPPool that is deleted until no node has a block of it any more: without it packets to its pods would lose
 * their tunnel and their masquerading while the pods run on. Until then it gives nothing new, like a disabled one.
 *
 * The finalizer stands on every pool from the first, as Kubernetes' own protection of claims in use does it: a pool
 * that got it with its first block could be deleted in between.
 */

import { containsPrefix, readPrefix } from '#net/prefix.ts';
import { type Controller, isOf } from '#serve/controller/controller.ts';
import type { World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING } from '#serve/controller/write.ts';
import { IP_POOLS, IPAM_BLOCKS, type IpamBlock, type IpPool } from '#spec/calico.ts';

/** Says in `kubectl get ippool -o yaml` what a deletion waits for. */
export const IN_USE = 'polder.dev/addresses-in-use';

export const poolsInUse: Controller = {
  name: 'pools-in-use',
  needs: [IP_POOLS, IPAM_BLOCKS],
  keys: (world) => [...world.of(IP_POOLS).keys()],
  wake(resource, change, world) {
    if (isOf(IP_POOLS, resource, change)) return change.type === 'delete' ? [] : [change.key];
    if (!isOf(IPAM_BLOCKS, resource, change) || change.type !== 'delete') return [];
    return leaving(world);
  },
  decide(world, key) {
    const pool = world.of(IP_POOLS).get(key);
    if (pool === undefined) return NOTHING;
    const { finalizers = [], deletionTimestamp } = pool.metadata;
    const others = finalizers.filter((name) => name !== IN_USE);
    const has = others.length < finalizers.length;
    if (deletionTimestamp === undefined) return has ? NOTHING : finalize(pool, [...finalizers, IN_USE]);
    return has && !isInUse(world, pool) ? finalize(pool, others) : NOTHING;
  },
};

function leaving(world: World): string[] {
  const pools = [...world.of(IP_POOLS)].filter(([, { metadata }]) => metadata.deletionTimestamp !== undefined);
  return pools.map(([key]) => key);
}

/** A network that cannot be read has no blocks. */
function isInUse(world: World, { spec }: IpPool): boolean {
  const cidr = readPrefix(spec?.cidr ?? '');
  const lies = (block: IpamBlock): boolean => {
    const network = readPrefix(block.spec.cidr);
    return cidr !== undefined && network !== undefined && containsPrefix(cidr, network);
  };
  return [...world.of(IPAM_BLOCKS).values()].some(lies);
}

function finalize(pool: IpPool, finalizers: readonly string[]): Decision {
  return decision([{ verb: 'patch', resource: IP_POOLS, base: pool, patch: { metadata: { finalizers } } }]);
}
