import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '#net/prefix.ts';
import { IN_USE, poolsInUse } from '#serve/controller/pools/pools-in-use.ts';
import { T0, TestWorld } from '#serve/controller/testing.ts';
import { timestamp } from '#serve/controller/world.ts';
import { newBlock, writeBlock } from '#spec/block.ts';
import { IP_POOLS, IPAM_BLOCKS, type IpamBlock, type IpPool } from '#spec/calico.ts';

const OTHERS = 'example.com/looks';

interface State {
  readonly deleted: boolean;
  readonly finalizers: readonly string[];
  readonly block?: string;
}

function poolOf({ deleted, finalizers }: State): IpPool {
  const metadata = { name: 'pool', finalizers: [...finalizers], ...(deleted && { deletionTimestamp: timestamp(T0) }) };
  return { apiVersion: 'crd.projectcalico.org/v1', kind: 'IPPool', metadata, spec: { cidr: '10.0.0.0/24' } };
}

const blockOf = (cidr: string): IpamBlock => writeBlock(newBlock(parsePrefix(cidr), 'node1'));

const STATES: readonly State[] = [false, true].flatMap((deleted) =>
  [[], [IN_USE], [OTHERS], [OTHERS, IN_USE]].flatMap((finalizers) => [
    { deleted, finalizers },
    { deleted, finalizers, block: '10.0.0.64/26' },
    { deleted, finalizers, block: '10.1.0.0/26' },
  ]),
);

/** What holds the pool once the controller has come to rest. */
function expected({ deleted, finalizers, block }: State): string[] {
  if (!deleted) return [...new Set([...finalizers, IN_USE])];
  const inUse = block === '10.0.0.64/26';
  return finalizers.filter((name) => inUse || name !== IN_USE);
}

test('from any state to any state: a pool is held while a block is cut from it, others’ finalizers stay, none comes late', () => {
  for (const from of STATES) {
    for (const to of STATES) {
      const world = new TestWorld();
      for (const state of [from, to]) {
        world.put(poolOf(state));
        if (from.block !== undefined) world.remove(blockOf(from.block));
        if (state.block !== undefined) world.put(blockOf(state.block));
        world.settle(poolsInUse);
        const said = world.of(IP_POOLS).get('pool')?.metadata.finalizers ?? assert.fail('no pool');
        assert.deepEqual([...said].sort(), expected(state).sort(), JSON.stringify([from, to]));
      }
    }
  }
});

test('the end of a block wakes the pools that are being deleted, and no others', () => {
  const leaving = poolOf({ deleted: true, finalizers: [IN_USE] });
  const staying = poolOf({ deleted: false, finalizers: [IN_USE] });
  const world = new TestWorld([leaving, { ...staying, metadata: { ...staying.metadata, name: 'stays' } }]);
  const change = { key: '10-0-0-0-26', object: blockOf('10.0.0.0/26') } as const;
  assert.deepEqual(poolsInUse.wake(IPAM_BLOCKS, { type: 'delete', ...change }, world), ['pool']);
  assert.deepEqual(poolsInUse.wake(IPAM_BLOCKS, { type: 'set', ...change }, world), []);
});
