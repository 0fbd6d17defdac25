/** Blocks lie inside of the node CIDR, whenever the controller manager gives it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix, prefixOf } from '#net/prefix.ts';
import { BLOCK_AFFINITIES } from '#spec/calico.ts';
import { NODES } from '#spec/k8s.ts';
import { Bed, until } from '#test/ipam/bed.ts';

const CIDR = '10.244.2.0/24';
const TUNNEL = 'projectcalico.org/IPv4VXLANTunnelAddr';

function giveCidr(bed: Bed): Promise<unknown> {
  return bed.client.patch(NODES, { name: 'node2' }, { spec: { podCIDR: CIDR, podCIDRs: [CIDR] } });
}

async function cidrs(bed: Bed): Promise<string[]> {
  return (await bed.blocks()).map(({ cidr }) => cidr).sort();
}

async function tunnel(bed: Bed): Promise<string | undefined> {
  return (await bed.client.get(NODES, { name: 'node2' })).metadata.annotations?.[TUNNEL];
}

test('a node waits for its node CIDR, and so does the first pod: the first block is inside', async () => {
  await using bed = await Bed.make({ cidr: '10.244.0.0/16', vxlanMode: 'Always' });
  const node = await bed.node('node2', { cidrWaitMs: 60_000 });
  await node.addresses.pass();
  assert.deepEqual(await cidrs(bed), []);
  const adding = node.add('c1');
  await giveCidr(bed);
  const [addr] = await adding;
  assert.ok(addr && prefixOf(addr, 24) === parsePrefix(CIDR), addr);
  await until(async () => (await tunnel(bed))?.startsWith('10.244.2.') ?? false);
  assert.deepEqual(await cidrs(bed), ['10.244.2.0/26']);
});

test('a node that gets no node CIDR within the time goes without', async () => {
  await using bed = await Bed.make({ cidr: '10.244.0.0/16' });
  const node = await bed.node('node2', { cidrWaitMs: 200 });
  assert.match((await node.add('c1')).join(), /^10\.244\./);
  await until(async () => (await cidrs(bed)).length === 1);
});

test('a node CIDR that comes after the first block draws everything inside, and no pod loses its address', async () => {
  await using bed = await Bed.make({ cidr: '10.244.0.0/16', vxlanMode: 'Always' });
  const node = await bed.node('node2', { idleMs: 0 });
  await until(async () => (await tunnel(bed)) !== undefined);
  const old = (await node.add('old')).join();
  const [outside = ''] = await cidrs(bed);
  await giveCidr(bed);
  await until(async () => (await tunnel(bed))?.startsWith('10.244.2.') ?? false);
  assert.deepEqual(await cidrs(bed), [outside, '10.244.2.0/26'].sort());
  // The watch may still have the old stock in the moment of the ADD: a pass settles that.
  await node.addresses.pass();
  assert.match((await node.add('new')).join(), /^10\.244\.2\./);
  assert.equal(node.held().get('old')?.join(), old);
  await until(async () => (await bed.handles(outside)).join() === 'k8s-pod-network.old');
  node.del('old');
  await until(async () => (await cidrs(bed)).join() === '10.244.2.0/26');
  assert.deepEqual(
    (await bed.client.list(BLOCK_AFFINITIES)).items.map(({ spec }) => spec.cidr),
    ['10.244.2.0/26'],
  );
});
