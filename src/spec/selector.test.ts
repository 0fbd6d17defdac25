import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSelector, readSelector, type Selector, selectorProblem, selects } from '#spec/selector.ts';

const LABELS = { zone: 'a', 'kubernetes.io/hostname': 'node1', rack: '' };

const CASES: readonly (readonly [string, boolean])[] = [
  ['', true],
  ['all()', true],
  ['!all()', false],
  ['global()', false],
  ["zone == 'a'", true],
  ['zone=="b"', false],
  ["zone != 'b'", true],
  ["missing != 'b'", true],
  ['has(rack)', true],
  ['!has(missing)', true],
  ["zone in {'b', 'a'}", true],
  ['zone in {}', false],
  ["zone not in { 'a' }", false],
  ["missing not in {'a'}", true],
  ["kubernetes.io/hostname starts with 'node' && kubernetes.io/hostname ends  with '1'", true],
  ["kubernetes.io/hostname contains 'ode'", true],
  ["missing contains ''", false],
  ["zone == 'b' || zone == 'a' && has(missing)", false],
  ["(zone == 'b' || zone == 'a') && !(has(missing))", true],
  ['!!has(zone)', true],
];

for (const [text, expected] of CASES) {
  test(`selects ${text || '(empty)'}: ${expected}`, () => {
    assert.equal(selects(parseSelector(text), LABELS), expected);
  });
}

test('parseSelector says what is wrong and where', () => {
  const said = (text: string) => selectorProblem(text)?.replace(/^.*": /, '');
  assert.equal(said('zone'), 'at column 5 ==, != or in is expected, not the end');
  assert.equal(said('zone == a'), 'at column 9 a value in quotes is expected, not a');
  assert.equal(said("zone == 'a' zone"), 'at column 13 && or || is expected, not zone');
  assert.equal(said("zone in ['a']"), `at column 9 "['a']" is no part of a selector`);
  assert.equal(said('has()'), 'at column 1 has() needs a label');
  assert.equal(said('(all()'), 'at column 7 ) is expected, not the end');
  assert.match(selectorProblem('('.repeat(60)) ?? '', /nested deeper than 50/);
});

const word = fc.stringMatching(/^[a-z][a-z./-]{0,5}$/).filter((text) => !['in', 'all', 'has', 'global'].includes(text));
const value = fc.stringMatching(/^[a-z ]{0,4}$/);
const { selector } = fc.letrec<{ selector: Selector }>((tie) => ({
  selector: fc.oneof(
    { maxDepth: 4 },
    fc.constant<Selector>({ op: 'all' }),
    fc.record({ op: fc.constant('has' as const), key: word }),
    fc.record({ op: fc.constantFrom('==' as const, '!=' as const, 'contains' as const), key: word, value }),
    fc.record({ op: fc.constantFrom('in' as const, 'not in' as const), key: word, values: fc.array(value) }),
    fc.record({ op: fc.constant('not' as const), of: tie('selector') }),
    fc.record({
      op: fc.constantFrom('and' as const, 'or' as const),
      of: fc.array(tie('selector'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

function print(node: Selector): string {
  switch (node.op) {
    case 'all':
    case 'global':
      return `${node.op}()`;
    case 'has':
      return `has(${node.key})`;
    case 'not':
      return `!(${print(node.of)})`;
    case 'and':
    case 'or':
      return `(${node.of.map(print).join(node.op === 'and' ? ' && ' : '||')})`;
    case 'in':
    case 'not in':
      return `${node.key} ${node.op} {${node.values.map((text) => `'${text}'`).join(',')}}`;
    default:
      return `${node.key} ${node.op} "${node.value}"`;
  }
}

test('parseSelector reads back what was printed', () => {
  fc.assert(
    fc.property(selector, (node) => assert.deepEqual(parseSelector(print(node)), JSON.parse(JSON.stringify(node)))),
  );
});

test('readSelector never throws anything else, whatever comes', () => {
  const noise = fc.array(fc.constantFrom('all()', 'has(', 'a', "'x'", '==', '&&', '(', ')', '!', 'in', '{', '}', ' '));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        noise.map((parts) => parts.join('')),
      ),
      (text) => {
        const read = readSelector(text);
        if (read) selects(read, LABELS);
        assert.equal(read === undefined, selectorProblem(text) !== undefined);
      },
    ),
  );
});
