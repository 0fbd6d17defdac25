/** Addresses of pools, node by node, on the real API server. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Addr } from '#net/addr.ts';
import { BLOCK_AFFINITIES, IP_POOLS, IP_RESERVATIONS, IPAM_BLOCKS, IPAM_CONFIGS } from '#spec/calico.ts';
import { PolderError } from '#spec/errors.ts';
import { NAMESPACES, NODES, PODS } from '#spec/k8s.ts';
import { Bed, until } from '#test/ipam/bed.ts';

async function codeOf(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    return error instanceof PolderError ? `${error.code}: ${error.message}` : String(error);
  }
  return 'none';
}

async function only(addrs: Promise<readonly Addr[]>): Promise<Addr> {
  const [addr, more] = await addrs;
  assert.equal(more, undefined);
  return addr ?? assert.fail('no address');
}

test('a node claims a block as Calico does, in its own node CIDR first, and says there what its pods have', async () => {
  await using bed = await Bed.make({ cidr: '10.244.0.0/16' });
  const node = await bed.node('node1', { cidr: '10.244.1.0/24' });
  const addr = await only(node.add('c1', { namespace: 'default', pod: 'web' }));
  await node.addresses.pass();
  const [object] = (await bed.client.list(IPAM_BLOCKS)).items;
  assert.deepEqual([object?.metadata.name, object?.spec.affinity], ['10-244-1-0-26', 'host:node1']);
  const index = object?.spec.allocations[Number(addr.split('.')[3])] ?? -1;
  assert.deepEqual(object?.spec.attributes[index], {
    handle_id: 'k8s-pod-network.c1',
    secondary: { node: 'node1', namespace: 'default', pod: 'web' },
  });
  const affinities = (await bed.client.list(BLOCK_AFFINITIES)).items;
  assert.deepEqual(
    affinities.map(({ metadata, spec }) => [metadata.name, spec.state, spec.cidr]),
    [['node1-10-244-1-0-26', 'confirmed', '10.244.1.0/26']],
  );
  const { metadata } = await bed.client.get(NODES, { name: 'node1' });
  assert.equal(metadata.annotations?.['projectcalico.org/IPv4VXLANTunnelAddr'], undefined, 'nothing is encapsulated');
});

test('ADD and DEL go on while the API is away, also after a restart, and the API hears of it later', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', vxlanMode: 'Always' });
  const first = await bed.node('node1');
  await until(async () => (await bed.client.get(NODES, { name: 'node1' })).metadata.annotations !== undefined);
  await bed.cut();
  const before = await Promise.all(Array.from({ length: 20 }, (_, i) => only(first.add(`a${i}`))));
  await bed.stop(first);
  const second = bed.start('node1');
  const after = await Promise.all(Array.from({ length: 20 }, (_, i) => only(second.add(`b${i}`))));
  assert.equal(new Set([...before, ...after]).size, 40);
  second.del('a0');
  const many = Promise.allSettled(Array.from({ length: 30 }, (_, i) => second.add(`c${i}`)));
  const refused = (await many)
    .filter(({ status }) => status === 'rejected')
    .map((one) => 'reason' in one && one.reason);
  assert.ok(refused.length > 0);
  for (const error of refused) assert.equal(error instanceof PolderError && error.code, 'cni-try-later');
});

test('nodes borrow when there is no block left, route by route, and give back what they borrowed', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/28', blockSize: 28 });
  const owner = await bed.node('node1', { waitMs: 500 });
  const guest = await bed.node('node2', { waitMs: 500 });
  const addrs = await Promise.all(Array.from({ length: 4 }, (_, i) => only(guest.add(`g${i}`))));
  const own = await Promise.all(Array.from({ length: 4 }, (_, i) => only(owner.add(`o${i}`))));
  assert.equal(new Set([...addrs, ...own]).size, 8);
  const [block] = await bed.blocks();
  assert.equal(block?.owner, 'node1');
  for (let i = 0; i < 4; i++) guest.del(`g${i}`);
  await guest.addresses.pass();
  await owner.addresses.pass();
  assert.ok((await bed.handles('10.0.0.0/28')).every((handle) => /\.o\d$/.test(handle)));
  // The owner keeps an eighth of its block in stock, in case the API goes away; all others can be had.
  const rest = await Promise.all(Array.from({ length: 10 }, (_, i) => only(guest.add(`h${i}`))));
  assert.match(await codeOf(guest.add('more')), /^addresses-exhausted/);
  const last = await Promise.all([only(owner.add('p1')), only(owner.add('p2'))]);
  assert.equal(new Set([...rest, ...own, ...last]).size, 16);
  assert.match(
    await codeOf(owner.add('more')),
    /^addresses-exhausted: No free address in pool pool1 \(10\.0\.0\.0\/28\)/,
  );
});

test('strictAffinity forbids to borrow, maxBlocksPerHost to claim more', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/27', blockSize: 28 });
  await bed.config({ strictAffinity: true, autoAllocateBlocks: true, maxBlocksPerHost: 1 });
  const node = await bed.node('node1', { waitMs: 100 });
  await Promise.all(Array.from({ length: 16 }, (_, i) => node.add(`c${i}`)));
  assert.match(await codeOf(node.add('more')), /^addresses-exhausted.*16 in use/);
  assert.equal((await bed.blocks()).length, 1);
  const other = await bed.node('node2', { waitMs: 100 });
  const mine = [...node.held().values()].flat()[0];
  assert.match(await codeOf(other.add('x', { wanted: mine ? [mine] : [] })), /^address-(taken|strict)/);
  await bed.client.delete(IPAM_CONFIGS, { name: 'default' });
  await until(async () => (await codeOf(node.add('more'))) === 'none');
});

test('an address by name is given from wherever it is: own stock, another’s stock, an unclaimed block', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', blockSize: 28 });
  const one = await bed.node('node1', { cidr: '10.0.0.0/28' });
  const two = await bed.node('node2', { cidr: '10.0.0.16/28', coolDownMs: 60_000 });
  const wanted = (text: string) => ({ wanted: [text as Addr] });
  assert.deepEqual(await one.add('a', wanted('10.0.0.5')), ['10.0.0.5']);
  assert.deepEqual(await one.add('b', wanted('10.0.0.20')), ['10.0.0.20'], 'of the stock of node2');
  assert.deepEqual(await one.add('c', wanted('10.0.0.100')), ['10.0.0.100'], 'of nobody');
  assert.match(
    await codeOf(two.add('d', wanted('10.0.0.5'))),
    /^address-taken: .*k8s-pod-network\.a on node node1 has it/,
  );
  assert.match(await codeOf(one.add('d', wanted('10.0.0.5'))), /^address-taken: .*container a has it/);
  assert.match(await codeOf(one.add('d', wanted('10.9.9.9'))), /^address-outside: .*the pools \(10\.0\.0\.0\/24\)/);
  one.del('b');
  await one.addresses.pass();
  assert.deepEqual(
    await two.add('e', wanted('10.0.0.20')),
    ['10.0.0.20'],
    'back at once, since it is asked for by name',
  );
  assert.deepEqual(await two.add('f', wanted('10.0.0.6')), ['10.0.0.6'], 'of the stock of node1');
  two.del('f');
  await two.addresses.pass();
  const three = await bed.node('node3');
  assert.deepEqual(await three.add('g', wanted('10.0.0.6')), ['10.0.0.6'], 'at once, too, from who had borrowed it');
});

test('pods and namespaces choose pools and addresses by Calico’s annotations, pools choose nodes', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24' }, { cidr: '10.1.0.0/24', nodeSelector: "zone == 'b'" });
  await bed.client.create(NAMESPACES, {
    metadata: { name: 'team', annotations: { 'cni.projectcalico.org/ipv4pools': '["pool2"]' } },
  });
  const pod = async (name: string, annotations: Record<string, string>) => {
    const spec = { nodeName: 'node1', containers: [{ name: 'c', image: 'i' }] };
    await bed.client.create(PODS, { metadata: { namespace: 'team', name, annotations }, spec });
    return { namespace: 'team', pod: name };
  };
  const node = await bed.node('node1', { labels: { zone: 'b' } });
  assert.match(await only(node.add('a', await pod('a', {}))), /^10\.1\.0\./);
  assert.match(
    await only(node.add('b', await pod('b', { 'cni.projectcalico.org/ipv4pools': '["10.0.0.0/24"]' }))),
    /^10\.0\.0\./,
  );
  const fixed = { 'cni.projectcalico.org/ipAddrs': '["10.1.0.77"]' };
  assert.equal(await only(node.add('c', await pod('c', fixed))), '10.1.0.77');
  assert.match(
    await codeOf(node.add('d', await pod('d', { 'cni.projectcalico.org/ipAddrs': '10.1.0.78' }))),
    /^annotation-invalid: .*it is no JSON list of texts/,
  );
  assert.match(
    await codeOf(node.add('e', await pod('e', { 'cni.projectcalico.org/ipv4pools': '["nope"]' }))),
    /^pool-unusable: .*there is no such pool/,
  );
  const far = await bed.node('node2');
  assert.match(await codeOf(far.add('f', { namespace: 'team', pod: 'a' })), /^pool-unusable: .*nodeSelector/);
  assert.match(await only(far.add('g')), /^10\.0\.0\./);
});

test('reserved addresses are not given, and leave the stock when they are reserved later', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/28', blockSize: 28 });
  const node = await bed.node('node1', { waitMs: 100 });
  await bed.client.create(IP_RESERVATIONS, {
    metadata: { name: 'r' },
    ...{ spec: { reservedCIDRs: ['10.0.0.0/29', '10.0.0.9'] } },
  });
  await until(async () =>
    [...((await bed.blocks())[0]?.given.keys() ?? [])].every((place) => place >= 8 && place !== 9),
  );
  const addrs = await Promise.all(Array.from({ length: 7 }, (_, i) => only(node.add(`c${i}`))));
  assert.ok(
    addrs.every((addr) => Number(addr.split('.')[3]) >= 8 && addr !== '10.0.0.9'),
    addrs.join(),
  );
  assert.match(await codeOf(node.add('more')), /^addresses-exhausted/);
});

test('a disabled pool drains: pods keep what they have, its blocks go when they are empty; a new pool takes over', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/26' });
  const node = await bed.node('node1');
  const old = await only(node.add('old'));
  await bed.client.patch(IP_POOLS, { name: 'pool1' }, { spec: { disabled: true } });
  await bed.pool('bigger', { cidr: '10.1.0.0/20' });
  await until(async () => (await codeOf(node.add(`n${Math.random()}`))) === 'none');
  assert.match([...node.held().values()].flat().at(-1) ?? '', /^10\.1\./);
  assert.equal(node.held().get('old')?.[0], old);
  node.del('old');
  await until(async () => !(await bed.blocks()).some(({ cidr }) => cidr === '10.0.0.0/26'));
  assert.ok((await bed.client.list(BLOCK_AFFINITIES)).items.every(({ spec }) => spec.cidr !== '10.0.0.0/26'));
});

test('a block that nobody uses goes back when another has room', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24', blockSize: 28 });
  const node = await bed.node('node1', { idleMs: 0 });
  const ids = Array.from({ length: 40 }, (_, i) => `c${i}`);
  await Promise.all(ids.map((id) => node.add(id)));
  assert.equal((await bed.blocks()).length, 3);
  for (const id of ids) node.del(id);
  await until(async () => (await bed.blocks()).length === 1);
});

test('a freed address cools down before it is given again, here or elsewhere', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/30', blockSize: 30 });
  const node = await bed.node('node1', { coolDownMs: 60_000, waitMs: 50 });
  const ids = ['a', 'b', 'c', 'd'];
  for (const id of ids) await node.add(id);
  node.del('a');
  assert.match(await codeOf(node.add('e')), /^addresses-exhausted: .*3 in use, 1 resting \(the next is free in 60 s\)/);
  const guest = await bed.node('node2', { waitMs: 50 });
  assert.match(await codeOf(guest.add('f')), /^addresses-exhausted/);
});

test('both families, one address each, written once', async () => {
  await using bed = await Bed.make({ cidr: '10.0.0.0/24' }, { cidr: 'fd00::/64', vxlanMode: 'Always' });
  const node = await bed.node('node1');
  const [four, six] = await node.add('a');
  assert.match(`${four} ${six}`, /^10\.0\.0\.\d+ fd00::/);
  const named = { wanted: ['fd00::77' as Addr] };
  assert.match((await node.add('b', named)).join(), /^10\.0\.0\.\d+,fd00::77$/);
  await until(async () => {
    const { metadata } = await bed.client.get(NODES, { name: 'node1' });
    return metadata.annotations?.['projectcalico.org/IPv6VXLANTunnelAddr'] !== undefined;
  });
});
