import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrefix } from '#net/prefix.ts';
import { poolGarbage } from '#serve/controller/pools/garbage.ts';
import { marksOf } from '#serve/controller/pools/missed.ts';
import { node, pod, T0, TestWorld, wordOf } from '#serve/controller/testing.ts';
import { timestamp } from '#serve/controller/world.ts';
import { affinityName, type Block, give, newBlock, readBlock, writeBlock } from '#spec/block.ts';
import { BLOCK_AFFINITIES, type BlockAffinity, IPAM_BLOCKS, type IpamBlock } from '#spec/calico.ts';
import { NODES, PODS } from '#spec/k8s.ts';

const GRACE = 60_000;
const gc = poolGarbage(GRACE);
const CIDRS = ['10.0.0.0/29', '10.0.0.8/29'] as const;
const NAMES = ['a', 'b', 'c'] as const;

/** Who has what: the node of each block, and the nodes of its first places. */
interface Had {
  readonly owner?: string;
  readonly users: readonly string[];
}

function blockOf(cidr: string, { owner, users }: Had): IpamBlock {
  const empty = newBlock(parsePrefix(cidr), owner);
  const notes = { type: '' };
  return writeBlock(users.reduce<Block>((b, n, i) => give(b, [i], { handle: `h${i}`, node: n, notes }), empty));
}

function affinityOf(owner: string, cidr: string): BlockAffinity {
  const spec = { state: 'confirmed', node: owner, cidr } as const;
  const metadata = { name: affinityName(owner, parsePrefix(cidr)) };
  return { apiVersion: 'crd.projectcalico.org/v1', kind: 'BlockAffinity', metadata, spec };
}

function worldOf(nodes: readonly string[], ...had: readonly Had[]): TestWorld {
  const world = new TestWorld(nodes.map((name) => node(name)));
  had.forEach((one, i) => {
    const cidr = CIDRS[i] ?? assert.fail();
    world.put(blockOf(cidr, one));
    if (one.owner !== undefined) world.put(affinityOf(one.owner, cidr));
  });
  return world;
}

/** A block a line: `10.0.0.0/29 a: a b b`. */
function told(world: TestWorld): string[] {
  return [...world.of(IPAM_BLOCKS).values()].map((object) => {
    const block = readBlock(object) ?? assert.fail();
    const users = [...block.given].sort(([x], [y]) => x - y).map(([, one]) => one.node);
    return `${block.cidr} ${block.owner ?? '-'}: ${users.join(' ')}`.trim();
  });
}

const claims = (world: TestWorld) => [...world.of(BLOCK_AFFINITIES).keys()].sort();
const go = (world: TestWorld, name: string) => world.remove(node(name));

function later(world: TestWorld, ms = GRACE): string[] {
  world.now += ms;
  return world.settle(gc).map(wordOf);
}

test('what nodes have that are there is nobody’s to take, however long it stands', () => {
  const world = worldOf(['a', 'b'], { owner: 'a', users: ['a', 'b'] });
  assert.deepEqual(later(world, 100 * GRACE), []);
});

test('a block of a node that is gone goes after the grace, not before, and its claim with it', () => {
  const world = worldOf(['a'], { owner: 'a', users: ['a', 'a'] });
  go(world, 'a');
  assert.match(world.settle(gc).map(wordOf).join(), /^patch IPAMBlock\/10-0-0-0-29 .*node-missed-since/);
  assert.deepEqual(later(world, GRACE - 1000), []);
  assert.deepEqual(later(world, 1000), ['delete IPAMBlock/10-0-0-0-29', 'delete BlockAffinity/a-10-0-0-0-29']);
});

test('a borrowed address goes back, and nothing else of the block', () => {
  const world = worldOf(['a', 'b'], { owner: 'a', users: ['a', 'b', 'a'] });
  go(world, 'b');
  world.settle(gc);
  later(world);
  assert.deepEqual(told(world), ['10.0.0.0/29 a: a a']);
  assert.deepEqual(claims(world), ['a-10-0-0-0-29']);
  assert.equal([...world.of(IPAM_BLOCKS).values()].flatMap((b) => [...marksOf(b)]).length, 0, 'no mark is left');
});

test('a block whose owner is gone stays, nobody’s, while another node has an address of it, and goes when it is empty', () => {
  const world = worldOf(['a', 'b'], { owner: 'a', users: ['a', 'b'] });
  go(world, 'a');
  world.settle(gc);
  later(world);
  assert.deepEqual(told(world), ['10.0.0.0/29 -: b']);
  assert.deepEqual(claims(world), []);
  world.put({ ...blockOf(CIDRS[0], { users: [] }) });
  world.settle(gc);
  assert.deepEqual(told(world), []);
});

test('the time is counted for each node by itself: one that went missing shortly before loses nothing with another', () => {
  const world = worldOf(['a', 'b', 'c'], { owner: 'a', users: ['a', 'b', 'c'] });
  go(world, 'b');
  world.settle(gc);
  world.now += GRACE - 1000;
  go(world, 'c');
  world.settle(gc);
  later(world, 1000);
  assert.deepEqual(told(world), ['10.0.0.0/29 a: a c']);
  world.put(node('c'));
  later(world, 10 * GRACE);
  assert.deepEqual(told(world), ['10.0.0.0/29 a: a c']);
});

test('a node that returned has the whole time again when it goes once more', () => {
  const world = worldOf(['a', 'b'], { owner: 'a', users: ['a', 'b'] });
  go(world, 'b');
  world.settle(gc);
  later(world, GRACE - 1000);
  world.put(node('b'));
  world.settle(gc);
  go(world, 'b');
  world.settle(gc);
  later(world, GRACE - 1000);
  assert.deepEqual(told(world), ['10.0.0.0/29 a: a b']);
});

test('a node that the API has again and the watch has not brought yet loses nothing: borrowed or its own', () => {
  const world = worldOf(['a', 'b'], { owner: 'a', users: ['a', 'b'] }, { owner: 'b', users: ['b'] });
  go(world, 'b');
  world.settle(gc);
  world.now += GRACE;
  world.unseen.push(node('b'));
  const before = told(world);
  for (const key of gc.keys(world)) for (const write of gc.decide(world, key).writes) world.apply(write);
  assert.deepEqual(told(world), before);
});

test('of one node’s several blocks each goes by itself, and the claims of the others stand', () => {
  const world = worldOf(['a', 'b'], { owner: 'a', users: ['a'] }, { owner: 'a', users: ['a', 'b'] });
  go(world, 'a');
  world.settle(gc);
  world.now += GRACE;
  for (const write of gc.decide(world, '10-0-0-0-29').writes) world.apply(write);
  for (const write of gc.decide(world, 'affinities').writes) world.apply(write);
  assert.deepEqual(told(world), ['10.0.0.8/29 a: a b']);
  assert.deepEqual(claims(world), ['a-10-0-0-8-29']);
});

test('a node on which a pod is said to be loses nothing, until the pod is gone', () => {
  const world = worldOf(['a', 'b'], { owner: 'a', users: ['b'] });
  const living = pod('p', { spec: { nodeName: 'b' } });
  world.put(living);
  go(world, 'b');
  world.settle(gc);
  assert.deepEqual(later(world, 10 * GRACE), []);
  world.remove(living);
  assert.deepEqual(
    gc.wake(PODS, { type: 'delete', key: 'default/p', object: living }, world).includes('10-0-0-0-29'),
    true,
  );
  world.settle(gc);
  assert.deepEqual(told(world), ['10.0.0.0/29 a:']);
});

test('a block that was written since it was looked at is not deleted', () => {
  const world = worldOf([], { owner: 'a', users: ['a'] });
  world.settle(gc);
  world.now += GRACE;
  const { writes } = gc.decide(world, '10-0-0-0-29');
  world.put(blockOf(CIDRS[0], { owner: 'a', users: ['a', 'b'] }));
  for (const write of writes) world.apply(write);
  assert.deepEqual(told(world), ['10.0.0.0/29 a: a b']);
});

test('blocks of load balancers, and what cannot be read, are left alone', () => {
  const world = worldOf([]);
  const virtual = blockOf(CIDRS[0], { users: [] });
  world.put({ ...virtual, spec: { ...virtual.spec, affinity: 'virtual:load-balancer' } } as IpamBlock);
  world.put({ ...blockOf(CIDRS[1], { owner: 'x', users: [] }), spec: { cidr: '10.0.0.8/29' } } as IpamBlock);
  assert.deepEqual(later(world, 10 * GRACE), []);
});

/** Any two places of nodes and blocks, one after the other, with any time between them. */
const had = fc.record({
  owner: fc.constantFrom(...NAMES),
  users: fc.array(fc.constantFrom(...NAMES), { maxLength: 4 }),
});
const states = fc.record({
  nodes: fc.subarray([...NAMES]),
  blocks: fc.array(had, { maxLength: CIDRS.length }),
  waitMs: fc.integer({ min: 0, max: 2 * GRACE }),
});

test('from any state to any state: what living nodes have stays, what the gone had goes, nothing else', () => {
  fc.assert(
    fc.property(fc.array(states, { minLength: 2, maxLength: 4 }), (path) => {
      const world = worldOf([]);
      for (const { nodes, blocks, waitMs } of path) {
        for (const name of NAMES)
          if (nodes.includes(name)) world.put(node(name));
          else if (world.of(NODES).has(name)) go(world, name);
        blocks.forEach((one, i) => {
          const cidr = CIDRS[i] ?? assert.fail();
          const before = world.of(IPAM_BLOCKS).get(cidr.replace(/[./]/g, '-'));
          const block = blockOf(cidr, one);
          world.put({
            ...block,
            metadata: { ...block.metadata, ...(before && { annotations: before.metadata.annotations ?? {} }) },
          });
          for (const name of NAMES) world.remove(affinityOf(name, cidr));
          world.put(affinityOf(one.owner, cidr));
        });
        const expected = told(world).map((line) => without(line, nodes));
        world.settle(gc);
        world.now += waitMs;
        world.settle(gc);
        for (const line of told(world)) assert.ok(keeps(line, expected), `${line} of ${expected.join('; ')}`);
        assert.equal(lost(told(world), expected), '');
      }
      later(world);
      later(world);
      const living = new Set(world.of(NODES).keys());
      const named = told(world).flatMap((line) =>
        line
          .split(' ')
          .slice(1)
          .map((word) => word.replace(':', '')),
      );
      for (const name of named) assert.ok(name === '' || name === '-' || living.has(name), `${name} is gone`);
      // A node that returned looks itself after claims of an earlier life.
      const ofGone = claims(world).filter((name) => !living.has(name.slice(0, 1)));
      assert.deepEqual([...ofGone, ...ownersOf(world).filter((name) => !claims(world).includes(name))], []);
      assert.deepEqual(later(world, 100 * GRACE), [], 'and then there is nothing more to do');
    }),
    { numRuns: 300 },
  );
});

/** The line's living users only. */
function without(line: string, nodes: readonly string[]): string {
  const [cidr = '', owner = '', ...users] = line.split(' ');
  return [cidr, owner, ...users.filter((name) => nodes.includes(name))].join(' ');
}

/** Nobody got anything that he did not have. */
function keeps(line: string, expected: readonly string[]): boolean {
  return expected.some((one) => one.split(' ')[0] === line.split(' ')[0]);
}

/** The first block of which living users lost something, else ''. */
function lost(now: readonly string[], expected: readonly string[]): string {
  for (const line of expected) {
    const [cidr, , ...users] = line.split(' ');
    const [, , ...left] = now.find((one) => one.startsWith(`${cidr} `))?.split(' ') ?? [];
    for (const name of NAMES) {
      const count = (list: readonly string[]) => list.filter((one) => one === name).length;
      if (users.includes(name) && count(left) < count(users)) return `${line} -> ${now.join('; ')}`;
    }
  }
  return '';
}

function ownersOf(world: TestWorld): string[] {
  const blocks = [...world.of(IPAM_BLOCKS).values()].map((object) => readBlock(object));
  return blocks.flatMap((b) => (b?.owner === undefined ? [] : [affinityName(b.owner, b.cidr)])).sort();
}

test('a claim that came to nothing is not dropped while it is young', () => {
  const world = worldOf([]);
  world.put(affinityOf('x', CIDRS[0]));
  assert.equal(timestamp(world.now), timestamp(T0));
  assert.deepEqual(world.settle(gc), []);
  assert.deepEqual(later(world), ['delete BlockAffinity/x-10-0-0-0-29']);
});
