import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespaceController } from '#serve/controller/namespaces/namespaces.ts';
import { TestWorld, wordOf } from '#serve/controller/testing.ts';

const namespace = (name: string, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...extra },
  spec: { finalizers: ['kubernetes'] },
});

test('an empty cluster gets its namespaces, and each its account and authority', () => {
  const world = new TestWorld();
  const words = world.settle(namespaceController('PEM')).map(wordOf);
  assert.deepEqual(
    words.slice(0, 4),
    ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((n) => `ensure Namespace/${n}`),
  );
  assert.deepEqual(words.slice(4, 6), ['ensure ServiceAccount/default', 'ensure ConfigMap/kube-root-ca.crt']);
  assert.equal(words.length, 4 + 8);
});

test('without a known authority none is published', () => {
  const world = new TestWorld([namespace('dev')]);
  const words = world.settle(namespaceController(undefined)).map(wordOf);
  assert.equal(words.filter((word) => word.includes('ConfigMap')).length, 0);
});

test('a namespace that is being deleted is emptied, not furnished', () => {
  const world = new TestWorld([namespace('dev', { deletionTimestamp: '2026-01-01T00:00:00Z' })]);
  const controller = namespaceController('PEM');
  assert.deepEqual(controller.decide(world, 'dev').writes.map(wordOf), ['purge dev']);
  assert.deepEqual(controller.decide(world, 'gone').writes, []);
});
