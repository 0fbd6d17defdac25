/** BIRD's routes over the kernel's own IPIP device, with packets through them. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { bgpCluster, bgpNode } from '#calc/testing/bgp-clusters.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { noBird } from '#kernel/testing/bird.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { poolOf } from '#spec/pool.ts';
import { kernelHas } from '#sync/features.ts';
import { type BirdNode, BirdNodes, bgpStateOf, birdRoutes, until } from '#sync/testing/bird-pair.ts';
import { PROTO_BIRD } from '#wire/netlink/values.ts';

const nodes = [bgpNode('node1', 1), bgpNode('node2', 2)];
const pools = [poolOf('default', parsePrefix('10.244.0.0/16'), { ipip: 'always' })];

/** tunl0 as the agent sets it, and an address of the node's pods. */
function prepare({ netlink }: BirdNode, index: number): void {
  if (netlink.link('tunl0') === undefined)
    netlink.run([{ op: 'link.add', link: { name: 'tunl0', info: { kind: 'ipip', ttl: 0, pmtuDiscovery: true } } }]);
  const address = parseIfAddr(`10.244.${index}.1/32`);
  const failures = netlink.run([
    { op: 'link.set', name: 'tunl0', change: { up: true, mtu: 1480 } },
    { op: 'addr.add', address: { link: 'tunl0', address, scope: 'global' } },
  ]);
  assert.deepEqual(failures, []);
}

test('what BIRD hears goes over tunl0 on-link, and packets arrive; without IPIP it goes directly', {
  skip: noBird,
}, async (t) => {
  if (!kernelHas('ipip')) return t.skip('this kernel has no interfaces of kind ipip');
  await using mesh = new BirdNodes(2);
  const [a, b] = mesh.nodes;
  assert.ok(a && b);
  for (const [i, node] of mesh.nodes.entries()) prepare(node, i + 1);
  const aim = (snapshot: ReturnType<typeof bgpCluster>) => {
    for (const { name, keeper } of mesh.nodes) keeper.aim({ kind: 'speak', state: bgpStateOf(snapshot, name) });
  };
  const ways = () =>
    a.netlink
      .routes({ protocol: PROTO_BIRD })
      .map(({ to, hops: [hop] }) => `${to} ${hop?.via} ${hop?.link} ${hop?.onlink ?? false}`);
  aim(bgpCluster({ nodes, pools }));
  await until('both have heard', () => birdRoutes(a).length === 1 && birdRoutes(b).length === 1);
  assert.deepEqual(ways(), ['10.244.2.0/24 192.168.1.102 tunl0 true']);
  const ping = inNetns(a.netns, () =>
    spawnSync('ping', ['-c', '1', '-W', '10', '-I', '10.244.1.1', '10.244.2.1'], { encoding: 'utf8' }),
  );
  assert.equal(ping.status, 0, ping.stdout + ping.stderr);
  aim(bgpCluster({ nodes, pools: [poolOf('default', parsePrefix('10.244.0.0/16'))] }));
  await until('it goes directly', () => ways()[0] === '10.244.2.0/24 192.168.1.102 eth0 false');
});
