/** R4: nodes tell one another of their blocks by BGP, and what was heard stands in the kernel as `proto bird`. */

import { connectBird } from '#kernel/bird/control.ts';
import { labPaths, nodePaths } from '#lab/names.ts';
import type { NodeSpec } from '#lab/spec.ts';
import { type Claim, type Finding, holds } from '#lab/verify/claim.ts';
import { onNode, type World } from '#lab/verify/world.ts';
import type { Prefix } from '#net/prefix.ts';
import { readBlock } from '#spec/block.ts';
import { networksOf } from '#spec/block-networks.ts';
import { IPAM_BLOCKS } from '#spec/calico.ts';
import { readProtocols } from '#wire/bird/show-protocols.ts';
import { PROTO_BIRD } from '#wire/netlink/values.ts';

export const TOLD_BY_BGP: Claim = {
  id: 'R4',
  async try(world) {
    const { items } = await world.client.list(IPAM_BLOCKS);
    const networks = networksOf(items.map(readBlock).filter((block) => block !== undefined));
    const found = await Promise.all(world.nodes.map((node) => heardBy(world, node, networks)));
    return found.find(({ ok }) => !ok) ?? found[0] ?? holds('the lab has no running node', '');
  },
};

async function heardBy(
  world: World,
  node: NodeSpec,
  networks: ReadonlyMap<string, readonly Prefix[]>,
): Promise<Finding> {
  const sessions = await sessionsOf(world, node);
  if (sessions === undefined) return holds(`no BIRD runs on ${node.name}`, '');
  const others = world.nodes.filter((each) => each !== node).flatMap(({ name }) => networks.get(name) ?? []);
  const routes = onNode(world, node, (netlink) => netlink.routes({ protocol: PROTO_BIRD }));
  const missing = others.find((network) => !routes.some(({ to }) => to === network));
  const up = sessions.filter((info) => /^Established/.test(info)).length;
  return holds(
    missing === undefined
      ? undefined
      : `${node.name} has no route to ${missing} by \`proto bird\` (${up} sessions stand)`,
    `on each node BIRD runs; ${node.name} has ${up} sessions of ${sessions.length} and by \`proto bird\` ${others.join(', ') || 'nothing: there is no other node'}`,
  );
}

/** What BIRD says of each session; undefined if it does not run. */
async function sessionsOf({ spec }: World, node: NodeSpec): Promise<string[] | undefined> {
  using control = await connectBird(nodePaths(labPaths(spec.name), node.name).birdSocket);
  const reply = await control?.ask('show protocols');
  return reply && readProtocols(reply).flatMap(({ kind, info }) => (kind === 'BGP' ? [info] : []));
}
