/** ClusterRoles whose rules are those of others, chosen by their labels (Kubernetes "Using RBAC Authorization" §Aggregated ClusterRoles). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { matchesSelector } from '#serve/controller/match/labels.ts';
import type { World } from '#serve/controller/world.ts';
import { decision, NOTHING } from '#serve/controller/write.ts';
import { CLUSTER_ROLES, type ClusterRole, type PolicyRule } from '#spec/rbac.ts';

export const roleAggregation: Controller = {
  name: 'role-aggregation',
  needs: [CLUSTER_ROLES],
  keys: aggregated,
  // There are few of them, and roles seldom change.
  wake: (resource, change, world) => (isOf(CLUSTER_ROLES, resource, change) ? aggregated(world) : []),
  decide(world, key) {
    const role = world.of(CLUSTER_ROLES).get(key);
    if (role?.aggregationRule === undefined) return NOTHING;
    const rules = rulesFor(role, world);
    if (JSON.stringify(rules) === JSON.stringify(role.rules ?? [])) return NOTHING;
    return decision([{ verb: 'patch', resource: CLUSTER_ROLES, base: role, patch: { rules } }]);
  },
};

function aggregated(world: World): string[] {
  return [...world.of(CLUSTER_ROLES)].filter(([, role]) => role.aggregationRule !== undefined).map(([key]) => key);
}

/** Those of the chosen roles in order of their names, each once. */
function rulesFor(role: ClusterRole, world: World): PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  const chosen = [...world.of(CLUSTER_ROLES).values()]
    .filter((one) => one.metadata.name !== role.metadata.name)
    .filter(({ metadata }) => selectors.some((selector) => matchesSelector(selector, metadata.labels)))
    .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
  const rules = new Map(
    chosen.flatMap((one) => (one.rules ?? []).map((rule) => [JSON.stringify(rule), rule] as const)),
  );
  return [...rules.values()];
}
