import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { overlaps, parsePrefix, readPrefix } from '#net/prefix.ts';
import type { Range } from '#serve/controller/ipam/allocate.ts';
import { nodeIpam } from '#serve/controller/ipam/ipam.ts';
import { rangeOf, readClusterCidrs } from '#serve/controller/ipam/ranges.ts';
import { node, TestWorld, wordOf } from '#serve/controller/testing.ts';
import { PolderError } from '#spec/errors.ts';
import { conditionOf, NODES } from '#spec/k8s.ts';

const SIZE = { 4: 24, 6: 64 };
const ranges = (text: string, size = SIZE): Range[] => readClusterCidrs(text).map((c) => rangeOf(c, size));
const ipam = (text = '10.244.0.0/16', size = SIZE) => nodeIpam(() => ranges(text, size));

const cidrs = (world: TestWorld) =>
  Object.fromEntries([...world.of(NODES)].map(([name, n]) => [name, n.spec?.podCIDRs?.join() ?? '-']));

test('node1 gets the first part after the one that is left out, in whatever order nodes come', () => {
  const world = new TestWorld([node('node3'), node('node1'), node('node2'), node('node10')]);
  world.settle(ipam());
  assert.deepEqual(cidrs(world), {
    node3: '10.244.3.0/24',
    node1: '10.244.1.0/24',
    node2: '10.244.2.0/24',
    node10: '10.244.10.0/24',
  });
  assert.equal(world.of(NODES).get('node1')?.spec?.podCIDR, '10.244.1.0/24');
});

test('other names get the lowest free part', () => {
  const world = new TestWorld([node('b'), node('a', { podCIDRs: ['10.244.2.0/24'] }), node('c')]);
  world.settle(ipam());
  assert.deepEqual(cidrs(world), { b: '10.244.1.0/24', a: '10.244.2.0/24', c: '10.244.3.0/24' });
});

test('what a node has stays, also when it lies elsewhere', () => {
  const world = new TestWorld([
    node('node1', { podCIDRs: ['192.168.0.0/24'] }),
    node('node2', { podCIDRs: ['10.244.0.0/23'] }),
  ]);
  assert.deepEqual(world.settle(ipam()), []);
});

test('a larger network given by hand is avoided whole', () => {
  const world = new TestWorld([node('a', { podCIDRs: ['10.244.0.0/22'] }), node('b')]);
  world.settle(ipam());
  assert.equal(cidrs(world).b, '10.244.4.0/24');
});

test('two families', () => {
  const world = new TestWorld([node('node1')]);
  world.settle(ipam('10.244.0.0/16,fd00:10:244::/48'));
  assert.equal(cidrs(world).node1, '10.244.1.0/24,fd00:10:244:1::/64');
});

test('a cluster network that is used up: a condition and an event, once, and the part of a node that goes is given on', () => {
  const world = new TestWorld([1, 2, 3, 4].map((i) => node(`node${i}`)));
  const small = ipam('10.244.0.0/22');
  const words = world.settle(small).map(wordOf);
  assert.deepEqual(cidrs(world), {
    node1: '10.244.1.0/24',
    node2: '10.244.2.0/24',
    node3: '10.244.3.0/24',
    node4: '-',
  });
  const message = 'The cluster CIDR has no network left for this node: 10.244.0.0/22 in parts of /24';
  assert.equal(words.at(-1), `notice CIDRNotAvailable: ${message}`);
  const condition = () => conditionOf(world.of(NODES).get('node4')?.status?.conditions, 'PodCIDRAssigned');
  assert.equal(condition()?.message, message);
  world.remove(world.of(NODES).get('node2') ?? node('node2'));
  world.settle(small);
  assert.equal(cidrs(world).node4, '10.244.2.0/24');
  assert.equal(condition(), undefined);
});

test('as long as the cluster’s network is not known nothing is given', () => {
  const world = new TestWorld([node('node1')]);
  assert.deepEqual(nodeIpam(() => undefined).decide(world, 'nodes'), { writes: [], againMs: 500 });
});

test('networks that cannot work are refused with a reason', () => {
  const refused = (what: RegExp) => (error: unknown) =>
    error instanceof PolderError && error.code === 'cidr-invalid' && what.test(error.message);
  assert.throws(() => readClusterCidrs('10.244.0.1/16'), refused(/the network is 10\.244\.0\.0\/16/));
  assert.throws(() => readClusterCidrs('10.0.0.0/8,10.1.0.0/16'), refused(/more than one network of a family/));
  assert.throws(() => readClusterCidrs('nonsense'), refused(/"nonsense" as a network/));
  assert.throws(() => rangeOf(parsePrefix('10.244.0.0/24'), SIZE), refused(/cannot be a \/24/));
  assert.throws(() => rangeOf(parsePrefix('10.0.0.0/8'), { 4: 31, 6: 64 }), refused(/at most \/30/));
  assert.throws(() => rangeOf(parsePrefix('fd00::/8'), SIZE), refused(/more than 65536 nodes/));
});

test('from any state, through any comings and goings: no two networks overlap, and none that was given changes', () => {
  const taken = fc.tuple(fc.nat(15), fc.constantFrom(20, 24, 25)).map(([i, length]) => `10.244.${i * 16}.0/${length}`);
  const step = fc.oneof(
    fc.record({ add: fc.nat(30), cidr: fc.option(taken, { nil: undefined }) }),
    fc.record({ remove: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const world = new TestWorld();
      const controller = ipam('10.244.0.0/20');
      const given = new Map<string, string>();
      for (const move of steps) {
        if ('remove' in move) {
          world.remove(node(`node${move.remove}`));
          given.delete(`node${move.remove}`);
        } else if (!given.has(`node${move.add}`)) {
          const fits =
            move.cidr !== undefined &&
            [...given.values()].every((g) => !overlaps(parsePrefix(g), parsePrefix(move.cidr ?? '')));
          world.put(node(`node${move.add}`, fits && move.cidr ? { podCIDRs: [move.cidr] } : {}));
        }
        world.settle(controller);
        const now = Object.entries(cidrs(world)).filter(([, cidr]) => cidr !== '-');
        for (const [name, cidr] of now) assert.equal(given.get(name) ?? cidr, cidr, 'a network changed');
        for (const [name, cidr] of now) given.set(name, cidr);
        const all = now.map(([, cidr]) => readPrefix(cidr)).filter((p) => p !== undefined);
        for (const [i, a] of all.entries()) for (const b of all.slice(i + 1)) assert.ok(!overlaps(a, b), `${a} ${b}`);
      }
    }),
  );
});
