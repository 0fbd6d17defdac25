import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  configKeyProblem,
  envNameProblem,
  labelProblem,
  labelValueProblem,
  nameProblem,
  portNameProblem,
  qualifiedNameProblem,
  subdomainProblem,
} from '#spec/kinds/names.ts';

type Check = (text: string) => string | undefined;

const CASES: readonly (readonly [string, Check, readonly string[], readonly string[]])[] = [
  [
    'RFC 1123 labels',
    labelProblem,
    ['a', '0', 'a-b', 'x'.repeat(63)],
    ['', 'A', '-a', 'a-', 'a.b', 'a_b', 'x'.repeat(64)],
  ],
  ['RFC 1123 subdomains', subdomainProblem, ['a', 'a.b', '1.2'], ['', 'a..b', '.a', 'a.', 'A.b', 'x'.repeat(254)]],
  ['RFC 1035 labels', (text) => nameProblem('label-1035', text), ['a', 'a1'], ['1a', 'a.b', 'x'.repeat(64)]],
  ['path segments', (text) => nameProblem('path-segment', text), ['system:node', 'A'], ['.', '..', 'a/b', 'a%b']],
  [
    'keys of labels',
    qualifiedNameProblem,
    ['a', 'A.b_c', 'example.com/x'],
    ['', '/x', 'a/', 'a/b/c', '-a', 'UP.com/x', 'x'.repeat(64)],
  ],
  ['values of labels', labelValueProblem, ['', 'A', '1.2_3-4'], ['-', 'a b', 'a/', 'x'.repeat(64)]],
  ['names of variables', envNameProblem, ['A', '_a', 'a.b-c'], ['', '1A', 'a b', 'a=b']],
  ['names of ports', portNameProblem, ['http', 'a-1'], ['1', 'a--b', 'HTTP', 'x'.repeat(16), '']],
  ['keys of configuration', configKeyProblem, ['a', 'A.b_c-d', '..data'], ['', '.', '..', 'a/b', 'x'.repeat(254)]],
];

for (const [what, check, good, bad] of CASES) {
  describe(what, () => {
    for (const text of good)
      it(`take ${JSON.stringify(text.slice(0, 20))}`, () => assert.equal(check(text), undefined));
    for (const text of bad)
      it(`refuse ${JSON.stringify(text.slice(0, 20))}`, () => assert.equal(typeof check(text), 'string'));
  });
}
