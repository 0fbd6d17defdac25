/** Reads what the reports of addresses are computed from. */

import type { Claim, IpamState, PodUse } from '#calc/ipam/state.ts';
import type { ApiClient } from '#feed/client.ts';
import { listIfServed } from '#feed/if-served.ts';
import { readAddr } from '#net/addr.ts';
import type { Prefix } from '#net/prefix.ts';
import { readBlock } from '#spec/block.ts';
import { BLOCK_AFFINITIES, IP_POOLS, IP_RESERVATIONS, IPAM_BLOCKS, type IpamBlock } from '#spec/calico.ts';
import { readNetworks } from '#spec/calico-networks.ts';
import { CONFIG_MAP, parseConfig } from '#spec/config.ts';
import { CONFIG_MAPS, type KubeObject, NODES, type Node, PODS, type Pod, type Resource } from '#spec/k8s.ts';
import { readPool } from '#spec/pool.ts';

/** @throws ApiError, ApiUnreachable */
export async function readIpam(client: ApiClient, signal: AbortSignal): Promise<IpamState> {
  const list = <T extends KubeObject>(resource: Resource<T>) => listIfServed(client, resource, signal);
  // Blocks before pods: what was given in between then is no leak, and what was freed in between is seen at the next look.
  const objects = await list(IPAM_BLOCKS);
  const [pools, claims, nodes, reservations, pods, settings] = await Promise.all([
    list(IP_POOLS),
    list(BLOCK_AFFINITIES),
    list(NODES),
    list(IP_RESERVATIONS),
    list(PODS),
    client.find(CONFIG_MAPS, CONFIG_MAP),
  ]);
  const known = pools.map(readPool).filter((pool) => pool !== undefined);
  const config = settings && parseConfig(settings.data);
  return {
    pools: known.sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...blocksIn(objects),
    claims: claims.map(claimOf),
    nodes: new Map(nodes.map((node) => [node.metadata.name ?? '', podCidrs(node)])),
    pods: pods.filter(({ spec }) => spec.hostNetwork !== true).map(useOf),
    reservations: reservations.flatMap(({ spec }) => readNetworks(spec?.reservedCIDRs ?? [])),
    fromPools: config?.kind === 'config' ? config.config.profile.ipam === 'pools' : known.length > 0,
  };
}

function blocksIn(objects: readonly IpamBlock[]): Pick<IpamState, 'blocks' | 'unreadable'> {
  const read = objects.map((object) => ({ name: object.metadata.name ?? '', block: readBlock(object) }));
  return {
    blocks: read.flatMap(({ block }) => block ?? []),
    unreadable: read.filter(({ block }) => block === undefined).map(({ name }) => name),
  };
}

function claimOf({ metadata, spec }: KubeObject & { spec: { node: string; cidr: string } }): Claim {
  return { name: metadata.name ?? '', node: spec.node, cidr: spec.cidr };
}

function podCidrs({ spec }: Node): readonly Prefix[] {
  return readNetworks(spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []));
}

function useOf({ metadata, spec, status }: Pod): PodUse {
  const texts = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP ? [status.podIP] : []);
  const addrs = texts.map((text) => readAddr(text)).filter((addr) => addr !== undefined);
  const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return { name: `${metadata.namespace}/${metadata.name}`, node: spec.nodeName ?? '', addrs, ended };
}
