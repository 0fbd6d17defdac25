/** The fake does as the kernel does. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeNft } from '#kernel/nft/fake.ts';
import type { Nft } from '#kernel/nft/handle.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { accept, goto, jump, masquerade, match, payload } from '#wire/nft/build.ts';
import type { NftOp, Statement } from '#wire/nft/values.ts';

const skip = noKernel;
const TABLE = { family: 'ip', name: 'polder-test' } as const;
const START: readonly NftOp[] = [
  { op: 'table.add' },
  { op: 'set.add', set: { name: 's', type: ['ipv4_addr'] } },
  { op: 'set.add', set: { name: 'm', type: ['ipv4_addr'], map: ['verdict'] } },
  { op: 'chain.add', chain: { name: 'c' } },
  { op: 'chain.add', chain: { name: 'd', base: { type: 'nat', hook: 'postrouting', prio: 100 } } },
];
const rule = (chain: string, ...expr: Statement[]): NftOp => ({ op: 'rule.add', chain, rule: { expr } });
const add = (set: string, key: string, value?: ReturnType<typeof goto>): NftOp => ({
  op: 'element.add',
  set,
  elements: [{ key, ...(value ? { value } : {}) }],
});

/** Transactions one after another; `HANDLE` stands for the handle of the first rule of chain c. */
const HANDLE = -1;
const SCRIPTS: Readonly<Record<string, readonly (readonly NftOp[])[]>> = {
  'without a table nothing goes': [
    [{ op: 'chain.add', chain: { name: 'c' } }],
    [{ op: 'table.delete' }],
    [{ op: 'table.flush' }],
  ],
  'what is there may be added again': [START, START],
  elements: [
    START,
    [add('s', '192.0.2.1'), add('s', '192.0.2.1')],
    [{ op: 'element.delete', set: 's', elements: [{ key: '192.0.2.1' }] }],
    [{ op: 'element.delete', set: 's', elements: [{ key: '192.0.2.1' }] }],
    [add('nope', '192.0.2.1')],
    [add('m', '192.0.2.1', goto('c'))],
    [add('m', '192.0.2.1', accept)],
    [{ op: 'element.create', set: 'm', elements: [{ key: '192.0.2.1', value: goto('c') }] }],
    [{ op: 'element.create', set: 'm', elements: [{ key: '192.0.2.2', value: goto('c') }] }],
    [{ op: 'set.flush', name: 's' }],
  ],
  'a rule needs what it names': [
    START,
    [rule('nope', accept)],
    [rule('c', jump('nope'))],
    [rule('c', match(payload('ip', 'saddr'), '@nope'), accept)],
    [rule('d', match(payload('ip', 'saddr'), '@s', '!='), masquerade), rule('c', accept)],
  ],
  'what is in use stays': [
    START,
    [{ op: 'chain.add', chain: { name: 'e' } }, rule('c', match(payload('ip', 'saddr'), '@s'), jump('e'))],
    [{ op: 'set.delete', name: 's' }],
    [{ op: 'chain.delete', name: 'e' }],
    [{ op: 'chain.flush', name: 'c' }],
    [
      { op: 'set.delete', name: 's' },
      { op: 'chain.delete', name: 'e' },
    ],
    [{ op: 'set.delete', name: 'm', map: true }],
  ],
  'a chain that the elements of a map name stays': [
    START,
    [add('m', '192.0.2.1', goto('c'))],
    [{ op: 'chain.delete', name: 'c' }],
  ],
  'a transaction goes wholly or not at all': [
    START,
    [rule('c', accept), { op: 'chain.delete', name: 'nope' }],
    [{ op: 'table.add' }, { op: 'table.delete' }, ...START, rule('c', { counter: null })],
  ],
  'rules by their handles': [
    START,
    [rule('c', { counter: null }), { op: 'rule.insert', chain: 'c', rule: { expr: [accept], comment: 'first' } }],
    [{ op: 'rule.replace', chain: 'c', handle: HANDLE, rule: { expr: [{ return: null }] } }],
    [{ op: 'rule.delete', chain: 'c', handle: HANDLE }],
    [{ op: 'rule.delete', chain: 'c', handle: 9999 }],
    [{ op: 'table.flush' }],
  ],
};

/** What nft made of each transaction, and the table at the end. */
function outcome(nft: Nft, script: readonly (readonly NftOp[])[]): unknown {
  const words = script.map((ops) => {
    const handle = nft.list(TABLE)?.chains.find(({ name }) => name === 'c')?.rules[0]?.handle ?? 0;
    const said = ops.map((op) => ('handle' in op && op.handle === HANDLE ? { ...op, handle } : op));
    const failure = nft.apply(TABLE, said);
    return failure ? /No such file|File exists|busy/.exec(failure.errors[0]?.message ?? '')?.[0] : 'done';
  });
  const table = nft.list(TABLE);
  const sets = table?.sets.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const chains = table?.chains
    .map(({ rules, ...chain }) => ({ ...chain, rules: rules.map(({ handle: _, ...own }) => own) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return { words, sets, chains };
}

for (const [name, script] of Object.entries(SCRIPTS)) {
  test(`the fake does as the kernel: ${name}`, { skip }, () => {
    using ns = scratchNetns();
    using nft = openNft(ns);
    assert.deepEqual(outcome(new FakeNft(), script), outcome(nft, script));
  });
}
