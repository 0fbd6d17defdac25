import assert from 'node:assert/strict';
import { test } from 'node:test';
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
