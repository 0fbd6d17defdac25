/** Roles as controllers read them (rbac.authorization.k8s.io/v1), as they stand in JSON. */

import { type KubeObject, type LabelSelector, resource } from '#spec/k8s.ts';

export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface ClusterRole extends KubeObject {
  readonly rules?: readonly PolicyRule[] | null;
  readonly aggregationRule?: { readonly clusterRoleSelectors?: readonly LabelSelector[] };
}

export const CLUSTER_ROLES = resource<ClusterRole>(
  'rbac.authorization.k8s.io',
  'v1',
  'ClusterRole',
  'clusterroles',
  false,
);
