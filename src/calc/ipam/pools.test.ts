import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReserved, type PoolQuestion, poolOfAddr, poolOfBlock, poolsFor, whyNot } from '#calc/ipam/pools.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { type Pool, poolOf } from '#spec/pool.ts';

const A = poolOf('a', parsePrefix('10.1.0.0/16'));
const B = poolOf('b', parsePrefix('10.2.0.0/16'));
const SIX = poolOf('six', parsePrefix('fd00::/64'));
const question: PoolQuestion = {
  family: 4,
  use: 'Workload',
  nodeLabels: { zone: 'west' },
  namespaceLabels: { team: 'x' },
};

/** A pool that is changed so, and why it then gives nothing. */
const REASONS: readonly (readonly [Partial<Pool>, Partial<PoolQuestion>, string | undefined])[] = [
  [{}, {}, undefined],
  [{}, { family: 6 }, 'it is no IPv6 pool'],
  [{ disabled: true }, {}, 'it is disabled'],
  [{ allowedUses: ['Tunnel'] }, {}, 'it is not for Workload (allowedUses)'],
  [{ allowedUses: ['Workload'] }, { use: 'Tunnel' }, 'it is not for Tunnel (allowedUses)'],
  [{ nodeSelector: "zone == 'west'" }, {}, undefined],
  [{ nodeSelector: "zone == 'east'" }, {}, "its nodeSelector zone == 'east' does not select the node"],
  [{ nodeSelector: 'zone ==' }, {}, 'its nodeSelector zone == does not select the node'],
  [{ namespaceSelector: "team == 'x'" }, {}, undefined],
  [{ namespaceSelector: "team == 'y'" }, {}, "its namespaceSelector team == 'y' does not select the namespace"],
];

test('whyNot says why a pool gives no address here, and nothing if it does', () => {
  for (const [changes, asked, why] of REASONS)
    assert.equal(whyNot({ ...A, ...changes }, { ...question, ...asked }), why);
  const { namespaceLabels: _, ...device } = question;
  assert.equal(
    whyNot({ ...A, namespaceSelector: "team == 'y'" }, device),
    undefined,
    'what is no pod has no namespace',
  );
});

test('poolsFor gives those that can be used in order, manual ones only by name, names in the order of the asker', () => {
  const names = (pools: readonly Pool[], named?: readonly string[]) => {
    const answer = poolsFor(pools, { ...question, ...(named && { named }) });
    return answer.kind === 'pools'
      ? answer.pools.map(({ name }) => name)
      : `${answer.refusal.pool}: ${answer.refusal.why}`;
  };
  assert.deepEqual(names([A, B, SIX]), ['a', 'b']);
  assert.deepEqual(names([{ ...A, manual: true }, B]), ['b']);
  assert.deepEqual(names([{ ...A, manual: true }, B], ['a']), ['a']);
  assert.deepEqual(names([A, B], ['10.2.0.0/16', 'a']), ['b', 'a'], 'a network names its pool too');
  assert.equal(names([A, B], ['a', 'c']), 'c: there is no such pool');
  assert.equal(names([A, { ...B, disabled: true }], ['a', 'b']), 'b: it is disabled');
  assert.deepEqual(names([]), []);
});

test('an address, a block and a reservation lie in what holds them', () => {
  assert.equal(poolOfAddr([A, B], parseAddr('10.2.3.4')), B);
  assert.equal(poolOfAddr([A, B], parseAddr('10.3.0.0')), undefined);
  assert.equal(poolOfBlock([A, B], parsePrefix('10.1.2.0/26')), A);
  assert.equal(poolOfBlock([A, B], parsePrefix('10.0.0.0/8')), undefined);
  assert.deepEqual(
    ['10.1.0.7', '10.1.0.8'].map((text) => isReserved([parsePrefix('10.1.0.0/29')], parseAddr(text))),
    [true, false],
  );
});
