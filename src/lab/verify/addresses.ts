/** M7: cluster network -> node networks (CIDRs or blocks) -> pod addresses, unique in the cluster. */

import { clusterCidrs } from '#lab/spec.ts';
import { type Claim, type Finding, holds } from '#lab/verify/claim.ts';
import { readAddr } from '#net/addr.ts';
import {
  addrOf,
  contains,
  containsPrefix,
  hostPrefix,
  overlaps,
  type Prefix,
  prefixFamily,
  readPrefix,
} from '#net/prefix.ts';
import { readBlock } from '#spec/block.ts';
import { networksOf as blocksOf } from '#spec/block-networks.ts';
import { IP_POOLS, IPAM_BLOCKS } from '#spec/calico.ts';
import { readNetworks } from '#spec/calico-networks.ts';
import { PROFILES } from '#spec/cluster.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { CONFIG_MAPS, NODES, type Node, PODS, type Pod } from '#spec/k8s.ts';

export const ADDRESS_LEVELS: Claim = {
  id: 'M7',
  async try(world) {
    const [config, nodes, pods, blocks, pools] = await Promise.all([
      world.client.get(CONFIG_MAPS, CONFIG_MAP),
      world.client.list(NODES),
      world.client.list(PODS),
      world.client.list(IPAM_BLOCKS),
      world.client.list(IP_POOLS),
    ]);
    const said = config.data?.clusterCIDR?.split(',').map((text) => readPrefix(text.trim())) ?? [];
    const known = said.filter((cidr) => cidr !== undefined);
    const read = blocks.items.map(readBlock).filter((block) => block !== undefined);
    const pooled = PROFILES[world.spec.profile].ipam === 'pools';
    if (pooled)
      return levels(readNetworks(pools.items.flatMap(({ spec }) => spec?.cidr ?? [])), blocksOf(read), pods.items);
    return levels(known.length > 0 ? known : clusterCidrs(world.spec), nodeCidrs(nodes.items), pods.items);
  },
};

/** Judges the three levels. Pods in their node's own network, and those that have ended, have no address of their own. */
export function levels(cluster: readonly Prefix[], cidrs: Networks, pods: readonly Pod[]): Finding {
  const live = pods.filter(
    ({ spec, status }) => spec.hostNetwork !== true && status?.podIP !== undefined && isLive(status.phase),
  );
  const failed = badNode(cluster, cidrs) ?? badPod(cidrs, live);
  const example = [...cidrs].map(([name, own]) => `${name} ${own.join(' and ')}`).slice(0, 3);
  return holds(
    failed,
    `${cluster.join(' and ')} -> ${example.join(', ')}${cidrs.size > 3 ? ', …' : ''} -> ${live.length} pods, all different`,
  );
}

/** Node -> its networks: node CIDRs, or blocks and single addresses that it borrowed from others'. */
type Networks = ReadonlyMap<string, readonly Prefix[]>;

export function nodeCidrs(nodes: readonly Node[]): Networks {
  return new Map(nodes.map((node) => [node.metadata.name ?? '', networksOf(node)]));
}

function isHost(cidr: Prefix): boolean {
  return hostPrefix(addrOf(cidr)) === cidr;
}

function networksOf({ spec }: Node): Prefix[] {
  const texts = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
  return texts.map((text) => readPrefix(text)).filter((cidr) => cidr !== undefined);
}

function isLive(phase: string | undefined): boolean {
  return phase !== 'Succeeded' && phase !== 'Failed';
}

function badNode(cluster: readonly Prefix[], cidrs: Networks): string | undefined {
  const seen: Prefix[] = [];
  for (const [name, own] of cidrs) {
    if (own.length === 0) return `${name} has no network`;
    const stray = own.find((cidr) => !cluster.some((outer) => containsPrefix(outer, cidr)));
    if (stray !== undefined) return `${name} has ${stray}, outside of ${cluster.join(' and ')}`;
    // Of several pools of one family a node need not use each.
    const lacks = cluster.find((outer) => !own.some((cidr) => prefixFamily(cidr) === prefixFamily(outer)));
    if (lacks !== undefined) return `${name} has ${own.join(' and ')}, nothing of ${lacks}`;
    for (const cidr of own.filter((each) => !isHost(each))) {
      const same = seen.find((other) => overlaps(other, cidr));
      if (same !== undefined) return `${name} has ${cidr}, which overlaps ${same} of another node`;
      seen.push(cidr);
    }
  }
  return undefined;
}

function badPod(cidrs: Networks, pods: readonly Pod[]): string | undefined {
  const holders = new Map<string, string>();
  for (const { metadata, spec, status } of pods) {
    const name = `${metadata.namespace}/${metadata.name}`;
    const own = cidrs.get(spec.nodeName ?? '') ?? [];
    for (const text of status?.podIPs?.map(({ ip }) => ip) ?? [status?.podIP ?? '']) {
      const ip = readAddr(text);
      if (ip === undefined || !own.some((cidr) => contains(cidr, ip))) {
        return `pod ${name} has ${text}, which is not in ${own.join(' or ')} of ${spec.nodeName}`;
      }
      const other = holders.get(ip);
      if (other !== undefined) return `pods ${other} and ${name} both have ${ip}`;
      holders.set(ip, name);
    }
  }
  return undefined;
}
