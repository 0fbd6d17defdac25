import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRe2 } from '#cni/plugins/tuning/re2.ts';

const ARP = 'net.ipv4.conf.IFNAME.arp_filter';
const SOMAXCONN = 'net.core.somaxconn';

/** A line; what it matches, and what it does not. */
const LINES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['^net\\.ipv4\\.conf\\.[[:alnum:]]+\\.arp_filter$', [ARP], [SOMAXCONN, `${ARP}2`]],
  ['\\Anet\\.core\\.[[:^digit:]]+\\z', [SOMAXCONN], ['net.core.x1', `x${SOMAXCONN}`]],
  ['\\Qnet.core.\\E[a-z]+$', [SOMAXCONN], ['net_core.somaxconn', ARP]],
  ['^\\Qnet.core.somaxconn', [SOMAXCONN], ['netXcore.somaxconn']],
  ['(?i)^NET\\.core\\.SOMAXCONN$', [SOMAXCONN, 'Net.Core.SomaxConn'], [ARP]],
  ['^net\\.(?i:CORE)\\.somaxconn$', [SOMAXCONN], ['NET.core.somaxconn']],
  ['(?s)^net.core.+$', ['net\ncore\n.'], ['net.']],
  ['^net.core$', ['net.core'], ['net\ncore', 'net.core\n']],
  ['(?m)^net$', ['a\nnet\nb'], ['a\rnet\rb']],
  ['^(?P<first>net)\\.(?:core|ipv[46])\\.', [SOMAXCONN, ARP], ['net.ipv5.x']],
  ['[]a]{2}', ['a]'], ['a']],
  ['^[\\w.\\-]+$', [SOMAXCONN, 'a-b'], ['a/b']],
  ['^\\x6e\\x{65}\\164{1,2}', ['net', 'nett'], ['ne']],
];

for (const [line, yes, no] of LINES) {
  test(`readRe2 reads ${line} as Go does`, () => {
    const pattern = readRe2(line);
    assert.deepEqual(
      [...yes, ...no].filter((key) => pattern?.test(key)),
      yes,
    );
  });
}

test('readRe2 refuses what Go does, and what JavaScript alone knows', () => {
  const lines = [
    '(',
    ')',
    '[a',
    'a**',
    'a{2,1}',
    'a{1001}',
    '[[:letters:]]',
    '[b-a]',
    '\\Z',
    '\\1',
    '\\u0041',
    '(?=a)',
  ];
  const more = [
    '(?<!a)',
    '(?',
    '(?x)a',
    '*a',
    '\\',
    '\\x{110000}',
    '[\\b]',
    '\\cA',
    '('.repeat(2000) + ')'.repeat(2000),
  ];
  assert.deepEqual([...lines, ...more].filter(readRe2), []);
});

test('readRe2 takes a quoted text for itself, whatever it is', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\\E') && !one.endsWith('\\'));
  fc.assert(
    fc.property(text, text, (quoted, other) => {
      const pattern = readRe2(`\\A\\Q${quoted}\\E\\z`);
      assert.deepEqual([pattern?.test(quoted), pattern?.test(other)], [true, other === quoted]);
    }),
  );
});

test('readRe2 reads any line or refuses it: it never throws', () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 3 }),
    fc.constantFrom(
      '(',
      '(?i)',
      '(?s:',
      ')',
      '[',
      '[^',
      ']',
      '[:alpha:]',
      '-',
      '\\',
      '\\Q',
      '\\E',
      '{2}',
      '*',
      '|',
      'a',
    ),
  );
  fc.assert(
    fc.property(fc.array(word), (words) => {
      readRe2(words.join(''))?.test('net.core.somaxconn');
    }),
    { numRuns: 2000 },
  );
});
