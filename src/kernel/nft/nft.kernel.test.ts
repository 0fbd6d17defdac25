import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openNft } from '#kernel/nft/nft.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parsePrefix } from '#net/prefix.ts';
import { accept, goto, jump, masquerade, match, meta, payload, prefixExpr } from '#wire/nft/build.ts';
import { replaceTable } from '#wire/nft/print.ts';
import type { NftOp, Statement, Table } from '#wire/nft/values.ts';

const skip = noKernel;
const TABLE = { family: 'ip', name: 'polder-test' } as const;
const saddr = payload('ip', 'saddr');
const daddr = payload('ip', 'daddr');
const dport = payload('tcp', 'dport');
const mark = meta('mark');

/** One of each statement, as nft lists it; the chain that each may stand in. */
const STATEMENTS: { readonly nat: readonly Statement[][]; readonly filter: readonly Statement[][] } = {
  nat: [
    [match(saddr, '@pods'), match(daddr, '@pods', '!='), { counter: null }, { masquerade: { flags: 'fully-random' } }],
    [match(saddr, prefixExpr(parsePrefix('10.244.1.0/24'))), masquerade],
    [match(meta('oifname'), 'cali*', '!='), accept],
    [match(meta('iifname'), { set: ['a', 'b'] }), { return: null }],
    [{ snat: { addr: '192.0.2.1', flags: ['random', 'persistent'] } }],
    [match(dport, 80), { snat: { addr: '192.0.2.1', port: 8080 } }],
  ],
  filter: [
    [
      match({ ct: { key: 'state' } }, { set: [1, 8] }),
      { limit: { rate: 10, burst: 5, per: 'second' } },
      { drop: null },
    ],
    [{ match: { op: 'in', left: { ct: { key: 'state' } }, right: [2, 4] } }, accept],
    [match({ '&': [mark, 0x4000] }, 0x4000), { continue: null }],
    [{ mangle: { key: mark, value: { '|': [mark, 0x4000] } } }],
    [{ mangle: { key: { ct: { key: 'mark' } }, value: mark } }],
    [{ mangle: { key: mark, value: { numgen: { mode: 'random', mod: 3, offset: 0 } } } }],
    [{ vmap: { key: { concat: [daddr, meta('l4proto'), payload('th', 'dport')] }, data: '@services' } }],
    [
      {
        vmap: {
          key: saddr,
          data: {
            set: [
              ['192.0.2.1', accept],
              ['192.0.2.2', jump('sub')],
            ],
          },
        },
      },
    ],
    [match({ fib: { result: 'type', flags: ['daddr'] } }, 2), { log: { prefix: 'local ', group: 1 } }],
    [match(dport, { range: [1000, 2000] }), jump('sub')],
    [match(dport, { set: [80, 443] }), { reject: { type: 'tcp reset' } }],
    [{ reject: { type: 'icmp', expr: 3 } }],
    [{ set: { op: 'add', elem: { elem: { val: { concat: [saddr, dport] }, timeout: 10 } }, set: '@seen' } }],
  ],
};

const WANTED: Table = {
  comment: 'made by a test',
  sets: [
    {
      name: 'pods',
      type: ['ipv4_addr'],
      flags: ['interval'],
      elements: [{ key: { range: ['10.1.0.1', '10.1.0.5'] } }, { key: { prefix: { addr: '10.244.0.0', len: 16 } } }],
    },
    { name: 'seen', type: ['ipv4_addr', 'inet_service'], flags: ['timeout'], size: 65535, elements: [] },
    {
      name: 'services',
      type: ['ipv4_addr', 'inet_proto', 'inet_service'],
      map: ['verdict'],
      elements: [{ key: { concat: ['192.0.2.9', 6, 80] }, value: goto('sub') }],
    },
    {
      name: 'endpoints',
      type: ['mark'],
      map: ['ipv4_addr', 'inet_service'],
      elements: [{ key: 1, value: { concat: ['10.244.1.2', 80] } }],
    },
  ],
  chains: [
    { name: 'sub', rules: [{ expr: [{ counter: null }] }] },
    {
      name: 'post',
      base: { type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' },
      rules: STATEMENTS.nat.map((expr, i) => ({ expr, comment: `rule ${i}` })),
    },
    {
      name: 'in',
      base: { type: 'filter', hook: 'input', prio: -5, policy: 'drop' },
      rules: STATEMENTS.filter.map((expr) => ({ expr })),
    },
  ],
};

test('a table that is made reads back as it was wanted', { skip }, () => {
  using ns = scratchNetns();
  using nft = openNft(ns);
  assert.equal(nft.apply(TABLE, replaceTable(WANTED)), undefined);
  const have = nft.list(TABLE);
  assert.ok(have);
  const chains = have.chains.map((c) => ({ ...c, rules: c.rules.map(({ handle: _, ...rule }) => rule) }));
  assert.equal(have.comment ?? WANTED.comment, WANTED.comment);
  assert.deepEqual(chains, WANTED.chains);
  assert.deepEqual(
    have.sets.toSorted((a, b) => a.name.localeCompare(b.name)),
    WANTED.sets.toSorted((a, b) => a.name.localeCompare(b.name)),
  );
  assert.equal(nft.apply(TABLE, replaceTable(WANTED)), undefined, 'once more');
});

test('list is undefined where there is no table, and other namespaces keep theirs', { skip }, () => {
  using a = scratchNetns();
  using b = scratchNetns();
  using one = openNft(a);
  using two = openNft(b);
  one.apply(TABLE, [{ op: 'table.add' }]);
  assert.ok(one.list(TABLE));
  assert.equal(two.list(TABLE), undefined);
});

test('apply names the operation that nft refuses, and nothing is changed', { skip }, () => {
  using ns = scratchNetns();
  using nft = openNft(ns);
  const bad: NftOp = { op: 'chain.delete', name: 'nowhere' };
  const failure = nft.apply(TABLE, [{ op: 'table.add' }, bad]);
  assert.equal(failure?.errors[0]?.op, bad);
  assert.match(failure?.errors[0]?.message ?? '', /No such file or directory/);
  assert.equal(nft.list(TABLE), undefined);
});

test('a dry run checks and changes nothing', { skip }, () => {
  using ns = scratchNetns();
  using nft = openNft(ns);
  assert.equal(nft.apply(TABLE, [{ op: 'table.add' }], { dryRun: true }), undefined);
  assert.equal(nft.list(TABLE), undefined);
  assert.ok(nft.run('add table ip\n', { dryRun: true }).error.includes('syntax error'));
});

test('applyAsync leaves the event loop free and keeps its order', { skip }, async () => {
  using ns = scratchNetns();
  using nft = openNft(ns);
  const set = { name: 's', type: ['ipv4_addr'] };
  const elements = Array.from({ length: 5000 }, (_, i) => ({ key: `10.0.${i >> 8}.${i & 255}` }));
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const made = nft.applyAsync(TABLE, [
    { op: 'table.add' },
    { op: 'set.add', set },
    { op: 'element.add', set: 's', elements },
  ]);
  const gone = nft.applyAsync(TABLE, [{ op: 'element.delete', set: 's', elements: elements.slice(1) }]);
  assert.deepEqual(await Promise.all([made, gone]), [undefined, undefined]);
  clearInterval(timer);
  assert.ok(turns > 0);
  assert.deepEqual(nft.list(TABLE)?.sets[0]?.elements, [{ key: '10.0.0.0' }]);
});

test('a protocol is part of a key with intervals if it is taken from the header', { skip }, () => {
  using ns = scratchNetns();
  using nft = openNft(ns);
  const table = { family: 'inet', name: 'polder-test' } as const;
  const types = (addr: string) => [addr, 'inet_proto', 'inet_service'];
  const key = (ip: string, protocol: string) => ({
    concat: [payload(ip, 'saddr'), payload(ip, protocol), payload('th', 'dport')],
  });
  const rules = [
    { expr: [match(key('ip', 'protocol'), '@m4'), accept] },
    { expr: [match(key('ip6', 'nexthdr'), '@m6'), accept] },
  ];
  const wanted: Table = {
    sets: [
      { name: 'm4', type: types('ipv4_addr'), flags: ['interval'], elements: [{ key: { concat: [TEN, 6, 80] } }] },
      { name: 'm6', type: types('ipv6_addr'), flags: ['interval'], elements: [] },
    ],
    chains: [{ name: 'c', rules }],
  };
  assert.equal(nft.apply(table, replaceTable(wanted)), undefined);
  const have = nft.list(table);
  assert.deepEqual(have?.sets, wanted.sets);
  assert.deepEqual(
    have?.chains[0]?.rules.map(({ expr }) => expr),
    rules.map(({ expr }) => expr),
  );
});

const TEN = prefixExpr(parsePrefix('10.0.0.0/8'));
