import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectsCidr, isAstray, lacksHome, type Placing } from '#calc/ipam/home.ts';
import { type Prefix, parsePrefix } from '#net/prefix.ts';
import { poolOf } from '#spec/pool.ts';

const POOL = poolOf('pool', parsePrefix('10.244.0.0/16'), { blockSize: 26 });

function placing(cidr: string | undefined, ...blocks: string[]): Placing {
  const mine = blocks.map(parsePrefix);
  const own = cidr === undefined ? [] : [parsePrefix(cidr)];
  return { pool: POOL, nodeCidrs: { own }, mine, taken: new Set<Prefix>(mine), reservations: [] };
}

const node = (name: string, created: number, hasCidr: boolean) => ({ name, created: created * 1000, hasCidr });

test('expectsCidr: a young node of a cluster in which every older one has its node CIDR', () => {
  assert.equal(expectsCidr([node('a', 0, false)], 'a'), true, 'the first of a cluster');
  assert.equal(expectsCidr([node('a', 0, true)], 'a'), false, 'it is there');
  assert.equal(expectsCidr([node('a', 0, true), node('b', 60, false)], 'b'), true);
  assert.equal(expectsCidr([node('a', 0, false), node('b', 60, false)], 'b'), false, 'nobody gives them');
  assert.equal(expectsCidr([node('a', 59, false), node('b', 60, false)], 'b'), true, 'both are young');
  assert.equal(expectsCidr([node('a', 60, false), node('b', 0, false)], 'b'), true, 'one that came later says nothing');
  assert.equal(expectsCidr([node('a', 0, true)], 'b'), false, 'who is no Node yet is given nothing');
});

test('lacksHome: its blocks are all outside of a node CIDR that the pool can cut blocks from', () => {
  assert.equal(lacksHome(placing('10.244.2.0/24', '10.244.137.128/26')), true);
  assert.equal(lacksHome(placing('10.244.2.0/24')), true);
  assert.equal(lacksHome(placing('10.244.2.0/24', '10.244.137.128/26', '10.244.2.64/26')), false);
  assert.equal(lacksHome(placing(undefined, '10.244.137.128/26')), false, 'no node CIDR');
  assert.equal(lacksHome(placing('10.9.2.0/24', '10.244.137.128/26')), false, 'a node CIDR of no pool');
  assert.equal(lacksHome(placing('10.244.2.0/28', '10.244.137.128/26')), false, 'smaller than a block');
  const others = { ...placing('10.244.2.0/26', '10.244.137.128/26'), taken: new Set([parsePrefix('10.244.2.0/26')]) };
  assert.equal(lacksHome(others), false, 'another node has it');
});

test('isAstray: outside, while there is a block at home and room for more', () => {
  const astray = (block: string, where: Placing) => isAstray(parsePrefix(block), where);
  const both = placing('10.244.2.0/24', '10.244.137.128/26', '10.244.2.0/26');
  assert.equal(astray('10.244.137.128/26', both), true);
  assert.equal(astray('10.244.2.0/26', both), false, 'at home');
  assert.equal(astray('10.244.137.128/26', placing('10.244.2.0/24', '10.244.137.128/26')), false, 'it is all there is');
  const full = placing('10.244.2.0/26', '10.244.137.128/26', '10.244.2.0/26');
  assert.equal(astray('10.244.137.128/26', full), false, 'there is no room at home');
  assert.equal(astray('10.244.137.128/26', placing(undefined, '10.244.137.128/26', '10.244.2.0/26')), false);
});
