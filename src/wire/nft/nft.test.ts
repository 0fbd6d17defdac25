import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrefix } from '#net/prefix.ts';
import { PolderError } from '#spec/errors.ts';
import { masquerade, match, meta, payload, prefixExpr } from '#wire/nft/build.ts';
import { missingNftFeature } from '#wire/nft/missing.ts';
import { printNftOp, printTransaction, replaceTable } from '#wire/nft/print.ts';
import { readErrors } from '#wire/nft/read-error.ts';
import { readListing } from '#wire/nft/read-listing.ts';
import { nftRefusalError } from '#wire/nft/refusal.ts';

const TABLE = { family: 'ip', name: 'polder' } as const;
const pods = prefixExpr(parsePrefix('10.244.0.0/16'));
const rule = {
  expr: [match(payload('ip', 'saddr'), pods), match(meta('oifname'), 'cali*', '!='), masquerade],
  comment: 'leaves the cluster',
};

test('a rule prints as nft writes it', () => {
  assert.equal(
    printNftOp(TABLE, { op: 'rule.add', chain: 'post', rule }),
    'add rule ip polder post ip saddr 10.244.0.0/16 meta oifname != "cali*" masquerade comment "leaves the cluster"',
  );
});

test('replaceTable makes sets and chains before the elements and rules that name them', () => {
  const ops = replaceTable({
    sets: [{ name: 's', type: ['ipv4_addr'], flags: ['interval'], elements: [{ key: pods }] }],
    chains: [{ name: 'post', base: { type: 'nat', hook: 'postrouting', prio: 100 }, rules: [rule] }],
  });
  assert.equal(
    printTransaction(TABLE, ops.slice(0, 6)),
    `add table ip polder
delete table ip polder
add table ip polder
add set ip polder s { type ipv4_addr; flags interval; }
add chain ip polder post { type nat hook postrouting priority 100; policy accept; }
add element ip polder s { 10.244.0.0/16 }
`,
  );
});

test('every operation prints as one line, and names that nft cannot take are refused', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (chain, comment) => {
      try {
        const line = printNftOp(TABLE, {
          op: 'rule.add',
          chain,
          rule: { expr: [match(meta('iifname'), `x${comment}`)], comment },
        });
        assert.ok(!line.includes('\n'));
        assert.equal(line.split('"').length, 5);
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
  );
});

test('readListing of any JSON or text returns or throws a SyntaxError', () => {
  const spoil = (json: string) => {
    try {
      readListing(json);
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  };
  const object = fc.record(
    {
      name: fc.jsonValue(),
      type: fc.jsonValue(),
      handle: fc.jsonValue(),
      expr: fc.jsonValue(),
      elem: fc.jsonValue(),
      map: fc.jsonValue(),
      hook: fc.jsonValue(),
      chain: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const objects = fc.array(fc.dictionary(fc.constantFrom('table', 'chain', 'rule', 'set', 'map'), object), {
    maxLength: 6,
  });
  fc.assert(fc.property(fc.string(), spoil));
  fc.assert(fc.property(fc.json(), spoil));
  fc.assert(
    fc.property(objects, (nftables) => spoil(JSON.stringify({ nftables: [{ table: { name: 't' } }, ...nftables] }))),
  );
});

test('readErrors tells the line and the sentence', () => {
  const output = `/dev/fd/3:2:19-25: Error: Could not process rule: No such file or directory
delete chain ip t nowhere
                  ^^^^^^^
Error: Could not open file
`;
  assert.deepEqual(readErrors(output), [
    { line: 2, message: 'Could not process rule: No such file or directory' },
    { message: 'Could not open file' },
  ]);
});

test('missingNftFeature names the module only where nothing else can be missing', () => {
  const add = { op: 'rule.add', chain: 'post', rule } as const;
  assert.equal(missingNftFeature(add, 'Could not process rule: No such file or directory'), 'nftables module nft_masq');
  const named = { ...add, rule: { expr: [match(payload('ip', 'saddr'), '@s'), masquerade] } };
  assert.equal(missingNftFeature(named, 'Could not process rule: No such file or directory'), undefined);
  assert.equal(missingNftFeature({ op: 'table.add' }, 'Could not process rule: Operation not supported'), 'nftables');
  assert.equal(missingNftFeature(add, 'Could not process rule: File exists'), undefined);
});

test('nftRefusalError shows the line', () => {
  const op = { op: 'chain.delete', name: 'x' } as const;
  const error = nftRefusalError(TABLE, {
    text: '',
    errors: [{ op, message: 'Could not process rule: Device or resource busy' }],
  });
  assert.ok(error instanceof PolderError);
  assert.match(error.message, /`nft delete chain ip polder x`: Could not process rule: Device or resource busy/);
});
