import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesSelector } from '#serve/controller/match/labels.ts';
import { matchesTerm } from '#serve/controller/match/node-affinity.ts';
import { quantity, requestsOf } from '#serve/controller/match/quantity.ts';
import { effectiveTaints, tolerates } from '#serve/controller/match/taints.ts';
import { node } from '#serve/controller/testing.ts';

test('quantity reads Kubernetes’ amounts', () => {
  const cases = {
    '500m': 0.5,
    '1': 1,
    '0.1': 0.1,
    '64Mi': 67108864,
    '1G': 1e9,
    '1e3': 1000,
    '2E': 2e18,

    x: 0,
    '': 0,
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(quantity(text), expected, text);
  fc.assert(fc.property(fc.string(), (text) => assert.ok(Number.isFinite(quantity(text)))));
});

test('requestsOf takes the worst instant of init containers, sidecars and containers', () => {
  const cpu = (amount: string) => ({ requests: { cpu: amount } });
  const spec = {
    initContainers: [
      { name: 'first', resources: cpu('3') },
      { name: 'sidecar', restartPolicy: 'Always', resources: cpu('1') },
      { name: 'second', resources: cpu('4') },
    ],
    containers: [
      { name: 'a', resources: cpu('1') },
      { name: 'b', resources: { limits: { cpu: '500m' } } },
    ],
    overhead: { cpu: '250m' },
  };
  assert.equal(requestsOf(spec).get('cpu'), 5250);
  assert.equal(requestsOf({ ...spec, initContainers: [] }).get('cpu'), 1750);
});

test('label selectors: absent matches nothing, empty everything, operators as documented', () => {
  const labels = { app: 'web', tier: 'a' };
  assert.equal(matchesSelector(undefined, labels), false);
  assert.equal(matchesSelector({}, labels), true);
  const expression = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]) =>
    matchesSelector({ matchExpressions: [{ key, operator, values }] }, labels);
  assert.deepEqual(
    [
      expression('app', 'In', 'web', 'db'),
      expression('none', 'In', 'x'),
      expression('app', 'NotIn', 'web'),
      expression('none', 'NotIn', 'x'),
    ],
    [true, false, false, true],
  );
  assert.deepEqual(
    [
      expression('app', 'Exists'),
      expression('none', 'Exists'),
      expression('app', 'DoesNotExist'),
      expression('none', 'DoesNotExist'),
    ],
    [true, false, false, true],
  );
});

test('node terms: an empty one matches no node, numbers compare as numbers', () => {
  const target = node('node1', { labels: { cores: '16' } });
  assert.equal(matchesTerm({}, target), false);
  const compare = (operator: 'Gt' | 'Lt', value: string) =>
    matchesTerm({ matchExpressions: [{ key: 'cores', operator, values: [value] }] }, target);
  assert.deepEqual(
    [compare('Gt', '9'), compare('Lt', '9'), compare('Lt', '100'), compare('Gt', 'x')],
    [true, false, true, false],
  );
});

test('tolerations', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' } as const;
  assert.ok(tolerates({ operator: 'Exists' }, taint));
  assert.ok(tolerates({ key: 'k', value: 'v' }, taint));
  assert.ok(tolerates({ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, taint));
  assert.ok(!tolerates({ key: 'k', value: 'w' }, taint));
  assert.ok(!tolerates({ key: 'k', operator: 'Exists', effect: 'NoExecute' }, taint));
  assert.ok(!tolerates({ value: 'v' }, taint));
});

test('effectiveTaints count a condition before its taint is written and no longer once it has gone', () => {
  const stale = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;
  const own = { key: 'mine', effect: 'NoSchedule' } as const;
  assert.deepEqual(effectiveTaints(node('n', { taints: [stale, own] })), [own]);
  assert.deepEqual(
    effectiveTaints(node('n', { ready: 'Unknown' })).map((t) => `${t.key} ${t.effect}`),
    ['node.kubernetes.io/unreachable NoSchedule', 'node.kubernetes.io/unreachable NoExecute'],
  );
});
