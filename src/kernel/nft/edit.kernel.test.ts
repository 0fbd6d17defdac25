/** A table that containers share: theirs comes and goes, that of others stays. By the kernel and by the fake. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addToTable, editTable, removeFromTable } from '#kernel/nft/edit.ts';
import { FakeNft } from '#kernel/nft/fake.ts';
import type { Nft } from '#kernel/nft/handle.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { drop, jump, match, meta, payload } from '#wire/nft/build.ts';
import {
  deleteOwnedRules,
  fillChain,
  forgetChain,
  forgetElements,
  hasSkeleton,
  missingOfSkeleton,
  ownedElements,
  ownedRules,
} from '#wire/nft/edit.ts';
import type { Element, Expr, Table } from '#wire/nft/values.ts';

const TABLE = { family: 'ip', name: 'polder-test' } as const;
const concat = (...parts: Expr[]): Expr => ({ concat: parts });
const local = match({ fib: { result: 'type', flags: ['daddr'] } }, 2);

/** As port mappings are made: what comes to the node's own addresses is looked up by protocol and port. */
const SKELETON: Table = {
  sets: [
    {
      name: 'ports',
      type: ['inet_proto', 'inet_service'],
      map: ['ipv4_addr', 'inet_service'],
      elements: [],
    },
    { name: 'hairpin', type: ['ipv4_addr', 'ipv4_addr', 'inet_proto', 'inet_service'], elements: [] },
    { name: 'containers', type: ['ifname'], map: ['verdict'], elements: [] },
  ],
  chains: [
    {
      name: 'in',
      base: { type: 'nat', hook: 'prerouting', prio: -100 },
      rules: [
        {
          expr: [
            local,
            {
              dnat: {
                family: 'ip',
                addr: { map: { key: concat(meta('l4proto'), payload('th', 'dport')), data: '@ports' } },
              },
            },
          ],
        },
      ],
    },
    {
      name: 'out',
      base: { type: 'nat', hook: 'postrouting', prio: 100 },
      rules: [
        {
          expr: [
            match(
              concat(payload('ip', 'saddr'), payload('ip', 'daddr'), meta('l4proto'), payload('th', 'dport')),
              '@hairpin',
            ),
            { masquerade: null },
          ],
        },
        { expr: [{ match: { op: 'in', left: { ct: { key: 'status' } }, right: 32 } }, { return: null }] },
      ],
    },
    { name: 'own', rules: [] },
  ],
};

const owner = (id: string) => `portmap ${id}`;
const mapping = (id: string, port: number, addr: string): Element => ({
  key: { concat: [6, port] },
  value: { concat: [addr, 80] },
  comment: owner(id),
});
const chain = (id: string) => `container-${id}`;
const entry = (id: string): Element => ({ key: `veth${id}`, value: jump(chain(id)) });

function add(nft: Nft, id: string, port: number): void {
  const ops = [
    { op: 'element.add', set: 'ports', elements: [mapping(id, port, `10.0.0.${id}`)] } as const,
    {
      op: 'element.add',
      set: 'hairpin',
      elements: [{ key: { concat: [`10.0.0.${id}`, `10.0.0.${id}`, 6, 80] } }],
    } as const,
    ...fillChain(chain(id), [{ expr: [drop], comment: owner(id) }]),
    { op: 'element.add', set: 'containers', elements: [entry(id)] } as const,
  ];
  assert.equal(addToTable(nft, TABLE, SKELETON, ops), undefined);
}

function remove(nft: Nft, id: string, port: number): void {
  const ops = [
    ...forgetElements('ports', [mapping(id, port, `10.0.0.${id}`)]),
    { op: 'chain.add', chain: { name: chain(id) } } as const,
    ...forgetElements('containers', [entry(id)]),
    ...forgetChain(chain(id)),
  ];
  assert.equal(removeFromTable(nft, TABLE, ops), undefined);
}

function shared(nft: Nft): void {
  assert.deepEqual(missingOfSkeleton(nft.list(TABLE), SKELETON), ['the table']);
  remove(nft, '7', 8080);
  assert.equal(nft.list(TABLE), undefined);
  add(nft, '7', 8080);
  add(nft, '7', 8080);
  add(nft, '8', 9090);
  assert.ok(hasSkeleton(nft.list(TABLE), SKELETON));
  remove(nft, '7', 8080);
  remove(nft, '7', 8080);
  const have = nft.list(TABLE);
  assert.ok(have);
  assert.ok(hasSkeleton(have, SKELETON));
  assert.deepEqual(ownedElements(have, 'ports', owner('8')), [mapping('8', 9090, '10.0.0.8')]);
  assert.deepEqual(ownedElements(have, 'ports', owner('7')), []);
  assert.deepEqual(
    ownedRules(have, 'portmap').map((rule) => rule.chain),
    ['container-8'],
  );
  assert.equal(
    editTable(nft, TABLE, (now) => (now ? deleteOwnedRules(now, owner('8')) : [])),
    undefined,
  );
  assert.deepEqual(ownedRules(nft.list(TABLE) ?? have, owner('8')), []);
  nft.apply(TABLE, [{ op: 'chain.flush', name: 'out' }]);
  assert.deepEqual(missingOfSkeleton(nft.list(TABLE), SKELETON), ['chain out']);
}

test("what is a container's comes and goes, in the kernel", { skip: noKernel }, () => {
  using ns = scratchNetns();
  using nft = openNft(ns);
  shared(nft);
});

test("what is a container's comes and goes, in the fake", () => {
  shared(new FakeNft());
});

test('editTable works anew on a table that changed meanwhile, and gives up in the end', () => {
  const nft = new FakeNft();
  nft.apply(TABLE, [{ op: 'table.add' }]);
  const seen: number[] = [];
  const failure = editTable(nft, TABLE, (have) => {
    seen.push(have?.chains.length ?? -1);
    if (seen.length < 3) return [{ op: 'chain.delete', name: 'gone' }];
    return [{ op: 'chain.add', chain: { name: 'c' } }];
  });
  assert.equal(failure, undefined);
  assert.equal(seen.length, 3);
  assert.ok(editTable(nft, TABLE, () => [{ op: 'chain.delete', name: 'gone' }]));
});

test('a bridge table drops what comes from another MAC', { skip: noKernel }, (t) => {
  using ns = scratchNetns();
  using nft = openNft(ns);
  const table = { family: 'bridge', name: 'polder-test' } as const;
  const skeleton: Table = {
    sets: [{ name: 'allowed', type: ['ifname', 'ether_addr'], elements: [] }],
    chains: [
      {
        name: 'in',
        base: { type: 'filter', hook: 'prerouting', prio: -300 },
        rules: [
          { expr: [match(concat(meta('iifname'), payload('ether', 'saddr')), '@allowed'), { accept: null }] },
          {
            expr: [match(meta('iifname'), 'veth1'), match(payload('ether', 'saddr'), '00:11:22:33:44:55', '!='), drop],
          },
        ],
      },
    ],
  };
  const elements = ['veth1', 'ip', 'eth0.5'].map((name): Element => ({ key: concat(name, '00:11:22:33:44:55') }));
  const failure = addToTable(nft, table, skeleton, [{ op: 'element.add', set: 'allowed', elements }]);
  if (failure?.errors[0]?.missing !== undefined) return t.skip(failure.errors[0].missing);
  assert.equal(failure, undefined);
  const have = nft.list(table);
  assert.ok(hasSkeleton(have, skeleton));
  assert.equal(have?.sets[0]?.elements.length, 3);
});
