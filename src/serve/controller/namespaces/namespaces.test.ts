import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { namespaceController, SYSTEM_NAMESPACES } from '#serve/controller/namespaces/namespaces.ts';
import { TestWorld, wordOf } from '#serve/controller/testing.ts';
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from '#spec/k8s.ts';

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
  assert.deepEqual(words.slice(4, 6), ['ensure ConfigMap/kube-root-ca.crt', 'ensure ServiceAccount/default']);
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

/** What a namespace may be found as: what became of it, and what of its furniture is there. */
const state = fc.record({
  is: fc.constantFrom('alive' as const, 'ending' as const, 'let go' as const),
  account: fc.boolean(),
});
const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z' };

test('from any state, and cut off anywhere: each living namespace is furnished, each ending one emptied, then all rests', () => {
  const names = fc.constantFrom(...SYSTEM_NAMESPACES, 'dev', 'test', 'shop');
  fc.assert(
    fc.property(fc.dictionary(names, state), fc.array(fc.nat(2), { maxLength: 12 }), (states, cuts) => {
      const world = new TestWorld();
      for (const [name, { is, account }] of Object.entries(states)) {
        const object = namespace(name, is === 'alive' ? {} : DELETED);
        world.put(is === 'let go' ? { ...object, spec: { finalizers: [] } } : object);
        const metadata = { namespace: name, name: 'default' };
        if (account) world.put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
        if (account)
          world.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: name, name: 'kube-root-ca.crt' } });
      }
      const controller = namespaceController('PEM');
      // Somebody ends the program between any two writes.
      for (const cut of cuts)
        for (const key of controller.keys(world))
          for (const write of controller.decide(world, key).writes.slice(0, cut)) world.apply(write);
      world.settle(controller);
      const there = world.of(NAMESPACES);
      for (const name of SYSTEM_NAMESPACES) assert.ok(there.has(name));
      for (const [name, { metadata, spec }] of there) {
        if (metadata.deletionTimestamp !== undefined) assert.deepEqual(spec?.finalizers, [], `${name} is not emptied`);
        else {
          assert.ok(world.of(SERVICE_ACCOUNTS).has(`${name}/default`), `${name} has no account`);
          assert.ok(world.of(CONFIG_MAPS).has(`${name}/kube-root-ca.crt`), `${name} has no authority`);
        }
      }
      for (const [name, { is }] of Object.entries(states)) {
        const isSystem = SYSTEM_NAMESPACES.some((one) => one === name);
        if (is === 'alive') assert.ok(there.has(name));
        if (is === 'ending' && !isSystem) assert.ok(!there.has(name));
      }
      assert.deepEqual(world.settle(controller), []);
    }),
    { numRuns: 200 },
  );
});
