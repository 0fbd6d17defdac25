import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isIdle, isStock, isTunnel, type Keeping, keepBlock, stockOf } from '#calc/ipam/keep.ts';
import type { Addr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { type Allocation, addrAt, type Block, give, newBlock, release, sameBlock } from '#spec/block.ts';

const CIDR = parsePrefix('10.0.0.0/28');
const ME = 'me';
const ofPod = (name: string, node = ME): Allocation => ({ handle: `net.${name}`, node, notes: { pod: name } });
const tunnel: Allocation = { handle: 'vxlan-tunnel-addr-me', node: ME, notes: { type: 'vxlanTunnelAddress' } };
const at = (place: number) => addrAt(CIDR, place);

function keeping(changes: Partial<Keeping> = {}): Keeping {
  return {
    node: ME,
    held: new Map(),
    rests: () => false,
    pinned: () => false,
    reservations: [],
    strictAffinity: false,
    blocksLeft: true,
    usable: true,
    ...changes,
  };
}

function blockOf(owner: string | undefined, given: Readonly<Record<number, Allocation>> = {}): Block {
  return Object.entries(given).reduce((b, [place, one]) => give(b, [Number(place)], one), newBlock(CIDR, owner));
}

const stocked = ({ given }: Block, node = ME) =>
  [...given.values()].filter((one) => isStock(one) && one.node === node).length;

test('a new block is stocked but for an eighth; what was free first is taken first', () => {
  const { block, ours } = keepBlock(newBlock(CIDR, ME), keeping());
  assert.deepEqual([stocked(block), ours.length, block.free], [14, 14, [14, 15]]);
});

test('what pods have stands under their names, and of another’s block too', () => {
  const held = new Map([[at(3), ofPod('a')]]);
  for (const owner of [ME, 'other']) {
    const { block, ours, conflicts } = keepBlock(blockOf(owner, { 3: stockOf(ME) }), keeping({ held }));
    assert.equal(block.given.get(3)?.notes.pod, 'a');
    assert.deepEqual([ours.includes(at(3)), conflicts], [true, []]);
  }
});

test('an address of a pod here that the API gave to another is a conflict and left as it is', () => {
  const { block, conflicts, ours } = keepBlock(
    blockOf(ME, { 3: ofPod('b', 'other') }),
    keeping({ held: new Map([[at(3), ofPod('a')]]) }),
  );
  assert.deepEqual([conflicts, block.given.get(3)?.node, ours.includes(at(3))], [[at(3)], 'other', false]);
});

test('a freed address becomes stock in an own block, and goes back to another’s once it has rested', () => {
  assert.equal(keepBlock(blockOf(ME, { 3: ofPod('a') }), keeping()).block.given.get(3)?.notes.type, 'stock');
  const borrowed = blockOf('other', { 3: ofPod('a') });
  const resting = keepBlock(borrowed, keeping({ rests: (addr) => addr === at(3) })).block;
  assert.equal(resting.given.get(3)?.node, ME, 'as long as it rests it stays');
  assert.equal(keepBlock(resting, keeping()).block.given.size, 0);
});

test('what is reserved, or of a pool that gives nothing here, leaves the stock; pods keep theirs', () => {
  const before = keepBlock(newBlock(CIDR, ME), keeping()).block;
  const held = new Map([[at(1), ofPod('a')]]);
  const reserved = keepBlock(before, keeping({ held, reservations: [parsePrefix('10.0.0.0/29')] })).block;
  assert.deepEqual(
    [...reserved.given.keys()].filter((place) => place < 8),
    [1],
  );
  const disabled = keepBlock(before, keeping({ held, usable: false })).block;
  assert.deepEqual([...disabled.given.keys()], [1]);
});

test('a wish is granted from stock, rested or not, and not from what a pod has or is about to have', () => {
  const wish = (place: number, block: Block) => ({ ...block, wishes: new Map([[at(place), 'guest']]) });
  const full = keepBlock(newBlock(CIDR, ME), keeping()).block;
  const granted = keepBlock(wish(2, full), keeping({ rests: () => true })).block;
  assert.deepEqual([granted.given.get(2)?.node, granted.wishes.size], ['guest', 0]);
  const had = keepBlock(wish(2, full), keeping({ held: new Map([[at(2), ofPod('a')]]) })).block;
  assert.deepEqual([had.given.get(2)?.notes.pod, had.wishes.size], ['a', 0]);
  const pinned = keepBlock(wish(2, full), keeping({ pinned: (addr) => addr === at(2) })).block;
  assert.deepEqual([pinned.given.get(2)?.node, pinned.wishes.size], [ME, 1], 'it is decided later');
});

test('a wish for what another node has in stock is that node’s to answer: the owner leaves it, the node gives it up', () => {
  const wished = { ...blockOf('owner', { 2: stockOf(ME) }), wishes: new Map([[at(2), 'guest']]) };
  const byOwner = keepBlock(wished, keeping({ node: 'owner' })).block;
  assert.deepEqual([byOwner.given.get(2)?.node, byOwner.wishes.size], [ME, 1]);
  const freed = { ...wished, given: new Map([[2, ofPod('a')]]) };
  const byHolder = keepBlock(freed, keeping({ rests: () => true })).block;
  assert.deepEqual([byHolder.given.get(2)?.node, byHolder.wishes.size], ['guest', 0], 'rested or not');
});

test('isIdle: only the owner’s stock stands in it', () => {
  const full = keepBlock(newBlock(CIDR, ME), keeping()).block;
  assert.ok(isIdle(full));
  assert.ok(!isIdle(give(full, [15], ofPod('b', 'other'))));
  assert.ok(!isIdle(give(full, [15], stockOf('other'))));
  assert.ok(!isIdle(give(full, [15], tunnel)));
});

const allocation = fc.constantFrom(ofPod('a'), ofPod('b'), stockOf(ME), tunnel, ofPod('c', 'other'), stockOf('other'));
const state = fc.record({
  owner: fc.constantFrom(ME, 'other', undefined),
  given: fc.dictionary(fc.nat(15).map(String), allocation),
  wishes: fc.array(fc.nat(15), { maxLength: 3 }),
  held: fc.array(fc.nat(15), { maxLength: 6 }),
  resting: fc.array(fc.nat(15), { maxLength: 4 }),
  pinned: fc.array(fc.nat(15), { maxLength: 3 }),
  reserved: fc.boolean(),
  strictAffinity: fc.boolean(),
  blocksLeft: fc.boolean(),
  usable: fc.boolean(),
});

test('from any state to any state: others lose nothing, pods keep theirs, the answer gives itself, nothing is given twice', () => {
  fc.assert(
    fc.property(fc.array(state, { minLength: 1, maxLength: 3 }), (path) => {
      let carried: Block | undefined;
      for (const { owner, given, wishes, held, resting, pinned, reserved, ...flags } of path) {
        const fresh = Object.entries(given).reduce(
          (b, [place, one]) => give(b, [Number(place)], one),
          newBlock(CIDR, owner),
        );
        const base: Block = { ...(carried ?? fresh), wishes: new Map(wishes.map((place) => [at(place), 'guest'])) };
        const names = new Map<Addr, Allocation>(held.map((place) => [at(place), ofPod(`p${place}`)]));
        const { block, ours, conflicts } = checked(
          base,
          keeping({
            ...flags,
            held: names,
            rests: (addr) => resting.some((place) => at(place) === addr),
            pinned: (addr) => pinned.some((place) => at(place) === addr),
            reservations: reserved ? [parsePrefix('10.0.0.0/30')] : [],
          }),
        );
        for (const [addr, one] of names) {
          const place = Number(addr.split('.')[3]);
          assert.ok(conflicts.includes(addr) || block.given.get(place)?.handle === one.handle, `${addr} of a pod`);
        }
        for (const addr of ours) assert.equal(block.given.get(Number(addr.split('.')[3]))?.node, ME);
        // Others come and go between two passes.
        carried = release(
          block,
          [...block.given].filter(([, one]) => one.node === 'guest').map(([place]) => place),
        );
      }
    }),
    { numRuns: 500 },
  );
});

function checked(before: Block, how: Keeping) {
  const kept = keepBlock(before, how);
  const again = keepBlock(kept.block, how);
  assert.ok(sameBlock(again.block, kept.block), 'a second pass changes nothing');
  for (const [place, one] of before.given) {
    if (one.node !== ME || isTunnel(one)) {
      const mine = how.held.has(at(place)) && one.node === ME;
      if (!mine) assert.deepEqual(kept.block.given.get(place), one, `place ${place} of ${one.node}`);
    }
  }
  const places = [...kept.block.given.keys(), ...kept.block.free];
  assert.deepEqual([...new Set(places)].length, 16, 'each address is given or free');
  assert.equal(places.length, 16);
  return kept;
}
