import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { garbageCollector, USUAL } from '#serve/controller/gc/gc.ts';
import { podGarbageCollector } from '#serve/controller/gc/pod-gc.ts';
import { WATCHED } from '#serve/controller/loop/watches.ts';
import { daemonSet, node, pod, T0, TestWorld, wordOf } from '#serve/controller/testing.ts';
import { ownedBy } from '#serve/controller/write.ts';
import { DAEMON_SETS, type DaemonSet, type KubeObject, NODES, PODS } from '#spec/k8s.ts';

const collector = garbageCollector();

function setUp(metadata: Partial<KubeObject['metadata']> = {}): { world: TestWorld; set: DaemonSet } {
  const world = new TestWorld();
  const base = daemonSet('net');
  world.put({ ...base, metadata: { ...base.metadata, uid: 'owner', ...metadata } });
  const set = world.of(DAEMON_SETS).get('default/net');
  assert.ok(set);
  for (const name of ['a', 'b']) world.put(pod(name, { metadata: { ownerReferences: [ownedBy(DAEMON_SETS, set)] } }));
  world.put(pod('free'));
  return { world, set };
}

const names = (world: TestWorld) => [...world.of(PODS).keys()].sort();

test('what has its owner stays; what has lost it goes, after the API itself was asked', () => {
  const { world, set } = setUp();
  assert.deepEqual(world.settle(collector), []);
  world.remove(set);
  const writes = world.settle(collector);
  assert.deepEqual(writes.map(wordOf), ['delete Pod/a', 'delete Pod/b']);
  const [first] = writes;
  assert.ok(first?.verb === 'delete');
  assert.deepEqual(first.ifGone, { resource: DAEMON_SETS, key: { namespace: 'default', name: 'net' }, uid: 'owner' });
  assert.deepEqual(names(world), ['default/free']);
});

test('what a node owns goes with it, and an account goes with its owner', () => {
  const world = new TestWorld([node('n')]);
  const [only] = world.of(NODES).values();
  assert.ok(only);
  world.put(pod('mirror', { metadata: { ownerReferences: [ownedBy(NODES, only)] }, spec: { nodeName: 'n' } }));
  const metadata = { namespace: 'default', name: 'robot', ownerReferences: [ownedBy(NODES, only)] };
  world.put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  assert.deepEqual(world.settle(collector), []);
  world.remove(only);
  assert.deepEqual(world.settle(collector).map(wordOf), ['delete Pod/mirror', 'delete ServiceAccount/robot']);
});

test('every kind of Kubernetes that is watched whole is collected', () => {
  const own = WATCHED.filter(([{ group }, selector]) => selector === undefined && !group.includes('calico'));
  for (const [resource] of own) assert.ok(USUAL.includes(resource), resource.plural);
});

test('an owner made anew under its name is another', () => {
  const { world, set } = setUp();
  world.remove(set);
  world.put(daemonSet('net'));
  world.settle(collector);
  assert.deepEqual(names(world), ['default/free']);
});

test('one owner that is there, or one of an unknown kind, keeps it', () => {
  const { world, set } = setUp();
  const other = { apiVersion: 'example.org/v1', kind: 'Thing', name: 'x', uid: 'x' };
  world.put(pod('c', { metadata: { ownerReferences: [ownedBy(DAEMON_SETS, set), other] } }));
  world.remove(set);
  world.settle(collector);
  assert.deepEqual(names(world), ['default/c', 'default/free']);
});

test('foreground: the owner waits for its dependents', () => {
  const { world } = setUp({ deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['foregroundDeletion'] });
  const words = world.settle(collector).map(wordOf);
  assert.deepEqual(words.slice(0, 2), ['delete Pod/a', 'delete Pod/b']);
  assert.equal(words[2], 'patch DaemonSet/net {"metadata":{"finalizers":[]}}');
});

test('orphan: dependents are let go first', () => {
  const { world } = setUp({ deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['orphan', 'other'] });
  const words = world.settle(collector).map(wordOf);
  assert.deepEqual(words, [
    'patch Pod/a {"metadata":{"ownerReferences":[]}}',
    'patch Pod/b {"metadata":{"ownerReferences":[]}}',
    'patch DaemonSet/net {"metadata":{"finalizers":["other"]}}',
  ]);
  assert.equal(names(world).length, 3);
});

test('a deletion wakes dependents and owners', () => {
  const { world, set } = setUp();
  const wakes = collector.wake(DAEMON_SETS, { type: 'delete', key: 'default/net', object: set }, world);
  assert.deepEqual([...wakes].sort(), ['pods.:default/a', 'pods.:default/b']);
  const a = world.of(PODS).get('default/a');
  assert.ok(a);
  const back = collector.wake(PODS, { type: 'delete', key: 'default/a', object: a }, world);
  assert.deepEqual(back, ['daemonsets.apps:default/net']);
});

test('pods of nodes that are gone are deleted, once they are old enough that the node is not merely late', () => {
  const controller = podGarbageCollector(40_000);
  const world = new TestWorld([
    node('node1'),
    pod('here', { spec: { nodeName: 'node1' } }),
    pod('lost', { spec: { nodeName: 'node2' } }),
  ]);
  assert.deepEqual(controller.decide(world, 'default/lost'), { writes: [], againMs: 40_000 });
  world.now = T0 + 40_000;
  const writes = world.settle(controller);
  assert.deepEqual(writes.map(wordOf), ['delete Pod/lost']);
  assert.ok(
    writes[0]?.verb === 'delete' && writes[0].gracePeriodSeconds === 0 && writes[0].ifGone?.key.name === 'node2',
  );
});

test('a pod that is deleted before it has a node is gone at once', () => {
  const world = new TestWorld([pod('p', { metadata: { deletionTimestamp: '2026-01-01T00:00:30Z' } })]);
  assert.deepEqual(world.settle(podGarbageCollector(40_000)).map(wordOf), ['delete Pod/p']);
});

test('an owner that lets its dependents go is looked at again when they are free', () => {
  const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'net', uid: 'u', controller: true };
  const before = pod('p', { metadata: { namespace: 'default', name: 'p', ownerReferences: [owner] } });
  const after = pod('p');
  const change = { type: 'set', key: 'default/p', object: after, previous: before } as const;
  const keys = collector.wake(PODS, change, new TestWorld());
  assert.deepEqual(keys, ['pods.:default/p', 'daemonsets.apps:default/net']);
});

test('other kinds are collected like the usual ones, once they are known, and never before', () => {
  const boats = { group: 'example.com', version: 'v1', kind: 'Boat', plural: 'boats', namespaced: true };
  const settings = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
  const boat = {
    apiVersion: 'example.com/v1',
    kind: 'Boat',
    metadata: { namespace: 'default', name: 'b', uid: 'boat' },
  };
  const owner = ownedBy(boats, boat);
  const world = new TestWorld();
  const owned = (kind: string) => ({ namespace: 'default', name: kind.toLowerCase(), ownerReferences: [owner] });
  world.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: owned('ConfigMap') });
  world.put(pod('crew', { metadata: { ...owned('Pod'), name: 'crew' } }));
  assert.deepEqual(world.settle(collector), []);
  const known = garbageCollector(() => [boats, settings]);
  world.put(boat);
  assert.deepEqual(world.settle(known), []);
  world.remove(boat);
  assert.deepEqual(world.settle(known).map(wordOf).sort(), ['delete ConfigMap/configmap', 'delete Pod/crew']);
  const leaving = { ...boat.metadata, finalizers: ['foregroundDeletion'], deletionTimestamp: '2026-01-01T00:00:00Z' };
  world.put({ ...boat, metadata: leaving });
  world.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: owned('ConfigMap') });
  world.settle(known);
  assert.deepEqual(world.of(settings).size, 0);
  assert.deepEqual(world.of(boats).get('default/b')?.metadata.finalizers, []);
});

test('from any state: what has an owner that is there stays, all else that had one goes, and no more', () => {
  const links = fc.array(fc.record({ owners: fc.array(fc.nat(8), { maxLength: 3 }) }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(links, fc.array(fc.nat(7), { maxLength: 4 }), (objects, lost) => {
      const world = new TestWorld();
      const uid = (index: number) => `uid-of-${index}`;
      const reference = (index: number) => ({ apiVersion: 'v1', kind: 'Pod', name: `p${index}`, uid: uid(index) });
      // An owner is older than what it owns; the eighth never was.
      const ownersOf = (index: number) =>
        (objects[index]?.owners ?? []).map((owner) => (owner < index ? owner : 8)).map(reference);
      for (const index of objects.keys()) {
        const ownerReferences = ownersOf(index);
        const metadata = { namespace: 'default', name: `p${index}`, uid: uid(index), ownerReferences };
        world.put(pod(`p${index}`, { metadata }));
      }
      const gone = new Set(lost.filter((index) => index < objects.length));
      for (const index of gone) world.remove(pod(`p${index}`));
      world.settle(collector);
      const stays = (index: number): boolean => {
        if (index >= objects.length || gone.has(index)) return false;
        const owners = ownersOf(index).map(({ name }) => Number(name.slice(1)));
        return owners.length === 0 || owners.some(stays);
      };
      const expected = [...objects.keys()].filter(stays).map((index) => `default/p${index}`);
      assert.deepEqual(names(world), expected.sort());
    }),
    { numRuns: 200 },
  );
});
