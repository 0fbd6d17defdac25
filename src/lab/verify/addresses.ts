/** M7: cluster network -> node networks -> pod addresses, unique in the cluster. */

import { type Claim, type Finding, holds } from '#lab/verify/claim.ts';
import { readAddr } from '#net/addr.ts';
import { contains, containsPrefix, overlaps, type Prefix, readPrefix } from '#net/prefix.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { CONFIG_MAPS, NODES, type Node, PODS, type Pod } from '#spec/k8s.ts';

export const ADDRESS_LEVELS: Claim = {
  id: 'M7',
  async try(world) {
    const [config, nodes, pods] = await Promise.all([
      world.client.get(CONFIG_MAPS, CONFIG_MAP),
      world.client.list(NODES),
      world.client.list(PODS),
    ]);
    const cluster = readPrefix(config.data?.clusterCIDR ?? world.spec.clusterCidr) ?? world.spec.clusterCidr;
    return levels(cluster, nodes.items, pods.items);
  },
};

/** Judges the three levels. Pods in their node's own network, and those that have ended, have no address of their own. */
export function levels(cluster: Prefix, nodes: readonly Node[], pods: readonly Pod[]): Finding {
  const cidrs = new Map(nodes.map((node) => [node.metadata.name ?? '', readPrefix(node.spec?.podCIDR ?? '')]));
  const live = pods.filter(
    ({ spec, status }) => spec.hostNetwork !== true && status?.podIP !== undefined && isLive(status.phase),
  );
  const failed = badNode(cluster, cidrs) ?? badPod(cidrs, live);
  const example = [...cidrs].map(([name, cidr]) => `${name} ${cidr}`).slice(0, 3);
  return holds(
    failed,
    `${cluster} -> ${example.join(', ')}${cidrs.size > 3 ? ', …' : ''} -> ${live.length} pods, all different`,
  );
}

function isLive(phase: string | undefined): boolean {
  return phase !== 'Succeeded' && phase !== 'Failed';
}

function badNode(cluster: Prefix, cidrs: ReadonlyMap<string, Prefix | undefined>): string | undefined {
  const seen: Prefix[] = [];
  for (const [name, cidr] of cidrs) {
    if (cidr === undefined) return `${name} has no network`;
    if (!containsPrefix(cluster, cidr)) return `${name} has ${cidr}, outside of ${cluster}`;
    const same = seen.find((other) => overlaps(other, cidr));
    if (same !== undefined) return `${name} has ${cidr}, which overlaps ${same} of another node`;
    seen.push(cidr);
  }
  return undefined;
}

function badPod(cidrs: ReadonlyMap<string, Prefix | undefined>, pods: readonly Pod[]): string | undefined {
  const holders = new Map<string, string>();
  for (const { metadata, spec, status } of pods) {
    const name = `${metadata.namespace}/${metadata.name}`;
    const ip = readAddr(status?.podIP ?? '');
    const cidr = cidrs.get(spec.nodeName ?? '');
    if (ip === undefined || cidr === undefined || !contains(cidr, ip)) {
      return `pod ${name} has ${status?.podIP}, which is not in ${cidr} of ${spec.nodeName}`;
    }
    const other = holders.get(ip);
    if (other !== undefined) return `pods ${other} and ${name} both have ${ip}`;
    holders.set(ip, name);
  }
  return undefined;
}
