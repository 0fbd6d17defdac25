import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from '#feed/store.ts';
import type { ConfigMap } from '#spec/k8s.ts';

const thing = (version: number, value = '', uid = 'u'): ConfigMap => ({
  metadata: { namespace: 'ns', name: 'a', uid, resourceVersion: String(version) },
  data: { value },
});

function setUp() {
  const heard: string[] = [];
  const store = new Store<ConfigMap>((change) =>
    heard.push(`${change.type} ${change.object.metadata.resourceVersion}`),
  );
  return { store, heard };
}

test('observe shows an own write before the watch does, and the watch’s echo changes nothing', () => {
  const { store, heard } = setUp();
  store.replace([thing(1)], '1');
  store.observe(thing(2));
  store.apply('MODIFIED', thing(2));
  assert.deepEqual(heard, ['set 1', 'set 2']);
});

test('an event older than an own write does not take it back', () => {
  const { store } = setUp();
  store.replace([thing(1)], '1');
  store.observe(thing(3));
  store.apply('MODIFIED', thing(2));
  assert.equal(store.get('ns/a')?.metadata.resourceVersion, '3');
});

test('observe does not raise what the watch has already buried', () => {
  const { store } = setUp();
  store.replace([], '1');
  store.apply('ADDED', thing(2));
  store.apply('DELETED', thing(3));
  store.observe(thing(2));
  assert.equal(store.get('ns/a'), undefined);
});

test('a list older than an own write keeps it; a list of another history does not', () => {
  const { store } = setUp();
  store.replace([], '5');
  store.observe(thing(8));
  store.replace([], '7');
  assert.ok(store.get('ns/a'));
  store.replace([], '3');
  assert.equal(store.get('ns/a'), undefined);
});

test('a list of a restored server brings objects of lower versions', () => {
  const { store } = setUp();
  store.replace([thing(9, 'new')], '9');
  store.replace([thing(4, 'old')], '5');
  assert.equal(store.get('ns/a')?.data?.value, 'old');
});

test('assume changes only the very object that was written', () => {
  const { store } = setUp();
  const base = thing(1, 'base');
  store.replace([base], '1');
  store.assume(base, thing(1, 'assumed'));
  assert.equal(store.get('ns/a')?.data?.value, 'assumed');
  store.apply('MODIFIED', thing(2, 'real'));
  store.assume(base, thing(1, 'assumed'));
  assert.equal(store.get('ns/a')?.data?.value, 'real');
});

test('an object made anew under its name replaces the old one', () => {
  const { store } = setUp();
  store.replace([thing(9, 'old', 'u1')], '9');
  store.apply('ADDED', thing(11, 'new', 'u2'));
  store.apply('DELETED', thing(10, 'old', 'u1'));
  assert.equal(store.get('ns/a')?.data?.value, 'new');
});
