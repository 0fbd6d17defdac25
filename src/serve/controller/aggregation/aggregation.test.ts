import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { roleAggregation } from '#serve/controller/aggregation/aggregation.ts';
import { TestWorld } from '#serve/controller/testing.ts';
import { CLUSTER_ROLES, type ClusterRole, type PolicyRule } from '#spec/rbac.ts';

const rule = (...resources: string[]): PolicyRule => ({ apiGroups: [''], resources, verbs: ['get'] });

function role(name: string, labels: Record<string, string>, content: Partial<ClusterRole>): ClusterRole {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name, labels }, ...content };
}

const aggregates = (label: string) => ({ clusterRoleSelectors: [{ matchLabels: { [label]: 'true' } }] });
const rulesOf = (world: TestWorld, name: string) =>
  world
    .of(CLUSTER_ROLES)
    .get(name)
    ?.rules?.flatMap(({ resources }) => resources);

test('an aggregated role has the rules of all that it chooses, through several steps, and loses what goes', () => {
  const world = new TestWorld([
    role('admin', {}, { aggregationRule: aggregates('to-admin') }),
    role('edit', { 'to-admin': 'true' }, { aggregationRule: aggregates('to-edit') }),
    role('a', { 'to-edit': 'true' }, { rules: [rule('pods')] }),
    role('b', { 'to-edit': 'true', 'to-admin': 'true' }, { rules: [rule('pods'), rule('secrets')] }),
    role('own', {}, { rules: [rule('nodes')] }),
  ]);
  world.settle(roleAggregation);
  assert.deepEqual(rulesOf(world, 'edit'), ['pods', 'secrets']);
  assert.deepEqual(rulesOf(world, 'admin'), ['pods', 'secrets']);
  assert.deepEqual(rulesOf(world, 'own'), ['nodes']);
  const [b] = [...world.of(CLUSTER_ROLES).values()].filter(({ metadata }) => metadata.name === 'b');
  assert.ok(b);
  world.remove(b);
  world.settle(roleAggregation);
  assert.deepEqual(rulesOf(world, 'admin'), ['pods']);
  assert.deepEqual(world.settle(roleAggregation), []);
});

const RESOURCES = ['pods', 'secrets', 'nodes', 'services'];
const rules = fc.subarray(RESOURCES).map((resources) => resources.map((one) => rule(one)));
const labels = fc
  .subarray(['to-view', 'to-edit', 'to-admin'])
  .map((keys) => Object.fromEntries(keys.map((key) => [key, 'true'])));

test('from any state each aggregated role comes to have what it chooses and nothing else, and all rests', () => {
  const leaves = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.record({ labels, rules }));
  // What the aggregated ones have at first: anything, of an older state or of somebody's hand.
  const stale = fc.record({ view: rules, edit: rules, admin: rules });
  fc.assert(
    fc.property(leaves, stale, (found, old) => {
      const world = new TestWorld([
        role('admin', {}, { aggregationRule: aggregates('to-admin'), rules: old.admin }),
        role('edit', { 'to-admin': 'true' }, { aggregationRule: aggregates('to-edit'), rules: old.edit }),
        role('view', { 'to-edit': 'true' }, { aggregationRule: aggregates('to-view'), rules: old.view }),
        ...Object.entries(found).map(([name, one]) => role(name, one.labels, { rules: one.rules })),
      ]);
      world.settle(roleAggregation);
      const chosen = (label: string) =>
        Object.values(found).flatMap((one) => (one.labels[label] === undefined ? [] : one.rules));
      const resources = (...all: PolicyRule[]) => [...new Set(all.flatMap((one) => one.resources ?? []))].sort();
      const [view, edit, admin] = ['view', 'edit', 'admin'].map((name) => [...(rulesOf(world, name) ?? [])].sort());
      const [toView, toEdit, toAdmin] = ['to-view', 'to-edit', 'to-admin'].map(chosen);
      assert.deepEqual(view, resources(...(toView ?? [])));
      assert.deepEqual(edit, resources(...(toView ?? []), ...(toEdit ?? [])));
      assert.deepEqual(admin, resources(...(toView ?? []), ...(toEdit ?? []), ...(toAdmin ?? [])));
      for (const [name, one] of Object.entries(found))
        assert.deepEqual(world.of(CLUSTER_ROLES).get(name)?.rules, one.rules, 'who aggregates nothing stays');
      assert.deepEqual(world.settle(roleAggregation), []);
    }),
    { numRuns: 200 },
  );
});
