import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { freePlaces, lender, nextBlock, stockTarget } from '#calc/ipam/choose.ts';
import { containsPrefix, lengthOf, overlaps, type Prefix, parsePrefix, subnetAt } from '#net/prefix.ts';
import { type Block, give, newBlock } from '#spec/block.ts';
import { poolOf } from '#spec/pool.ts';

const POOL = poolOf('pool', parsePrefix('10.0.0.0/24'), { blockSize: 28 });
const ALL = Array.from({ length: 16 }, (_, i) => subnetAt(POOL.cidr, 28, i));
const none: ReadonlySet<Prefix> = new Set();

test('nextBlock looks in the own node CIDR first, in others’ last', () => {
  const [own, other] = [parsePrefix('10.0.0.64/27'), parsePrefix('10.0.0.128/25')];
  assert.equal(nextBlock(POOL, 'n', none, [], { own: [own], others: [other] }), '10.0.0.64/28');
  const taken = new Set([parsePrefix('10.0.0.64/28'), parsePrefix('10.0.0.80/28')]);
  const next = nextBlock(POOL, 'n', taken, [], { own: [own], others: [other] });
  assert.ok(next && !taken.has(next) && !overlaps(next, other), next);
  const full = new Set(ALL.filter((block) => !overlaps(block, other)));
  const last = nextBlock(POOL, 'n', full, [], { own: [own], others: [other] });
  assert.ok(last && overlaps(last, other), 'rather than none');
});

test('nextBlock is not led astray by node CIDRs of elsewhere, or smaller than a block', () => {
  for (const text of ['10.9.0.0/24', '10.0.0.64/30', 'fd00::/64']) {
    const found = nextBlock(POOL, 'n', none, [], { own: [parsePrefix(text)], others: [] });
    assert.ok(found && containsPrefix(POOL.cidr, found), text);
  }
});

test('nextBlock, whatever is taken and reserved: a free block of the pool, or none if there is none', () => {
  fc.assert(
    fc.property(fc.subarray(ALL), fc.subarray(ALL), fc.string(), (taken, reserved, node) => {
      const free = ALL.filter((block) => !taken.includes(block) && !reserved.includes(block));
      const found = nextBlock(POOL, node, new Set(taken), reserved);
      if (free.length === 0) assert.equal(found, undefined);
      else assert.ok(found !== undefined && free.includes(found));
      assert.equal(found, nextBlock(POOL, node, new Set(taken), reserved), 'the same again');
    }),
  );
});

test('nextBlock of an IPv6 pool is found at once', () => {
  const six = poolOf('six', parsePrefix('fd00::/48'));
  const found = nextBlock(six, 'n', none, []) ?? assert.fail();
  assert.ok(containsPrefix(six.cidr, found));
  assert.equal(lengthOf(found), 122);
});

test('nodes that come up together begin at different places', () => {
  const wide = poolOf('wide', parsePrefix('10.0.0.0/16'));
  const first = Array.from({ length: 20 }, (_, i) => nextBlock(wide, `node${i}`, none, []));
  assert.ok(new Set(first).size > 15, String(new Set(first).size));
});

function block(text: string, owner: string, used: number): Block {
  const places = Array.from({ length: used }, (_, place) => place);
  return give(newBlock(parsePrefix(text), owner), places, { handle: 'h', node: owner, notes: {} });
}

test('lender is the emptiest of others’ blocks of the pool; nobody if all are full', () => {
  const blocks = [
    block('10.0.0.0/28', 'me', 0),
    block('10.0.0.16/28', 'b', 9),
    block('10.0.0.32/28', 'c', 3),
    block('10.1.0.0/28', 'd', 0),
  ];
  assert.equal(lender(blocks, POOL, 'me', [])?.owner, 'c');
  assert.equal(lender(blocks, POOL, 'me', [parsePrefix('10.0.0.32/28')])?.owner, 'b', 'what is reserved is not free');
  assert.equal(lender([block('10.0.0.16/28', 'b', 16)], POOL, 'me', []), undefined);
  assert.deepEqual(freePlaces(block('10.0.0.0/28', 'b', 12), [parsePrefix('10.0.0.12/31')]), [14, 15]);
});

test('stockTarget keeps all under strictAffinity, leaves an eighth while others can claim, keeps an eighth when they cannot', () => {
  const cidr = parsePrefix('10.0.0.0/26');
  assert.equal(stockTarget(cidr, 64, true, true), 64);
  assert.equal(stockTarget(cidr, 64, false, true), 56);
  assert.equal(stockTarget(cidr, 64, false, false), 8);
  assert.equal(stockTarget(cidr, 3, false, false), 3);
  assert.equal(stockTarget(cidr, 3, false, true), 1, 'at least one');
  assert.equal(stockTarget(parsePrefix('10.0.0.0/30'), 4, false, false), 1);
  assert.equal(stockTarget(cidr, 0, false, true), 0);
});
