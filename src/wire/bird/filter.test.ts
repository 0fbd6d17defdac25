import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addrFromBytes, parseAddr } from '#net/addr.ts';
import { lengthOf, parsePrefix, prefixOf } from '#net/prefix.ts';
import {
  type Condition,
  evaluate,
  exactly,
  type Filter,
  holds,
  inside,
  type RouteFacts,
  within,
} from '#wire/bird/filter.ts';
import { printFilter } from '#wire/bird/print-filter.ts';

const block = parsePrefix('10.244.1.0/26');
const OUT: Filter = {
  name: 'out_mesh',
  body: [
    { do: 'add-community', if: { kind: 'net', in: [within(block)] }, community: [65_000, 100] },
    { do: 'accept', if: { kind: 'net', in: [exactly(block)] }, because: 'a block of this node' },
    { do: 'reject', if: { kind: 'net', in: [inside(block)] }, because: 'inside a block that goes out whole' },
    {
      do: 'accept',
      if: { kind: 'all', of: [{ kind: 'source', is: 'bgp' }, { kind: 'internal' }] },
      because: 'a peer’s',
    },
  ],
};

function facts(net: string, more: Partial<RouteFacts> = {}): RouteFacts {
  return { net: parsePrefix(net), source: 'static', proto: 'own4', asPath: [], ...more };
}

test('evaluate names the statement that decides', () => {
  assert.deepEqual(evaluate(OUT, facts('10.244.1.0/26')), { verdict: 'accept', because: 'a block of this node' });
  assert.equal(evaluate(OUT, facts('10.244.1.7/32')).because, 'inside a block that goes out whole');
  assert.equal(evaluate(OUT, facts('10.9.0.0/16', { source: 'bgp', asPath: [] })).because, 'a peer’s');
  assert.deepEqual(evaluate(OUT, facts('10.9.0.0/16', { source: 'bgp', asPath: [64_600] })), {
    verdict: 'reject',
    because: 'nothing in filter out_mesh accepts it',
  });
});

test('evaluate: what goes by a tunnel is accepted', () => {
  const body = [
    { do: 'tunnel', if: { kind: 'internal' }, device: 'tunl0' },
    { do: 'reject', because: 'from afar' },
  ] as const;
  const verdict = (asPath: number[]) =>
    evaluate({ name: 'in', body }, facts('10.9.0.0/16', { source: 'bgp', asPath })).because;
  assert.deepEqual([verdict([]), verdict([64_600])], ['it goes by tunl0', 'from afar']);
});

test('holds knows every kind of condition', () => {
  const route = facts('10.9.0.0/16', { ifname: 'eth0', nextHop: parseAddr('192.168.1.2') });
  const cases: [Condition, boolean][] = [
    [{ kind: 'proto', is: 'own4' }, true],
    [{ kind: 'ifname', like: 'eth*' }, true],
    [{ kind: 'ifname', like: 'e.h0' }, false],
    [{ kind: 'next-hop', in: [parsePrefix('192.168.1.0/24')] }, true],
    [{ kind: 'next-hop', in: [parsePrefix('192.168.2.0/24')] }, false],
    [{ kind: 'not', of: { kind: 'source', is: 'bgp' } }, true],
    [{ kind: 'all', of: [] }, true],
    [{ kind: 'net', in: [] }, false],
    [{ kind: 'net', in: [{ prefix: parsePrefix('10.9.8.0/24'), min: 16, max: 24 }] }, true],
    [{ kind: 'net', in: [within(parsePrefix('fd00::/8'))] }, false],
  ];
  for (const [condition, expected] of cases) assert.equal(holds(condition, route), expected, JSON.stringify(condition));
});

test('a network fits its own patterns and no others', () => {
  const prefix = fc
    .tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.integer({ min: 1, max: 31 }))
    .map(([bytes, length]) => prefixOf(addrFromBytes(bytes), length));
  fc.assert(
    fc.property(prefix, (net) => {
      const route = facts(net);
      assert.ok(holds({ kind: 'net', in: [exactly(net)] }, route));
      assert.ok(holds({ kind: 'net', in: [within(net)] }, route));
      assert.ok(!holds({ kind: 'net', in: [inside(net)] }, route));
      assert.equal(lengthOf(net) < 32, holds({ kind: 'net', in: [inside(net)] }, facts(`${net.split('/')[0]}/32`)));
    }),
  );
});

test('printFilter writes statements in their order, with their reasons', () => {
  assert.equal(
    printFilter(OUT),
    `filter out_mesh {
  if net ~ [ 10.244.1.0/26{26,32} ] then bgp_community.add((65000,100));
  if net ~ [ 10.244.1.0/26{26,26} ] then accept; # a block of this node
  if net ~ [ 10.244.1.0/26{27,32} ] then reject; # inside a block that goes out whole
  if (source = RTS_BGP && (source = RTS_BGP && bgp_path.len = 0)) then accept; # a peer’s
  reject;
}
`,
  );
});

test('printFilter refuses names and numbers that BIRD cannot read', () => {
  assert.throws(() => printFilter({ name: 'a-b', body: [] }), RangeError);
  assert.throws(
    () => printFilter({ name: 'a', body: [{ do: 'add-community', community: [70_000, 1] }] }),
    /community’s number 70000/,
  );
  assert.throws(
    () => printFilter({ name: 'a', body: [{ do: 'accept', if: { kind: 'proto', is: '"; drop' }, because: '' }] }),
    RangeError,
  );
});
