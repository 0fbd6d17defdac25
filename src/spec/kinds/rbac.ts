/** Kinds of the group rbac.authorization.k8s.io: who may do what. */
import { needs } from '#spec/kinds/apps.ts';
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { ensureObject, objectsAt, sameJson, setDefault, textAt } from '#spec/kinds/json.ts';
import { type Column, type FieldError, invalid, type Kind, type KubeObject, unsupported } from '#spec/kinds/kind.ts';

const GROUP = 'rbac.authorization.k8s.io';
const RBAC = { group: GROUP, version: 'v1', names: 'path-segment' } as const;
const SUBJECTS = ['Group', 'ServiceAccount', 'User'];

const ROLE_COLUMNS: readonly Column[] = [
  NAME,
  column('Created At', 'When it was made.', (object) => textAt(object, 'metadata', 'creationTimestamp')),
];

const BINDING_COLUMNS: readonly Column[] = [
  NAME,
  column('Role', 'What it gives.', (one) => `${textAt(one, 'roleRef', 'kind')}/${textAt(one, 'roleRef', 'name')}`),
  AGE,
  subjects('Users', 'User'),
  subjects('Groups', 'Group'),
  subjects('ServiceAccounts', 'ServiceAccount'),
];

function subjects(name: string, kind: string): Column {
  const cell = (one: KubeObject) =>
    objectsAt(one, 'subjects')
      .filter((subject) => subject.kind === kind)
      .map((s) => (kind === 'ServiceAccount' ? `${textAt(s, 'namespace')}/${textAt(s, 'name')}` : textAt(s, 'name')))
      .join(', ');
  return column(name, 'Whom it is for.', cell, { wide: true });
}

export const ROLE: Kind = {
  ...RBAC,
  kind: 'Role',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  type: 'V1Role',
  columns: ROLE_COLUMNS,
};

export const CLUSTER_ROLE: Kind = {
  ...RBAC,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  singular: 'clusterrole',
  namespaced: false,
  type: 'V1ClusterRole',
  columns: ROLE_COLUMNS,
};

export const ROLE_BINDING: Kind = {
  ...RBAC,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  type: 'V1RoleBinding',
  columns: BINDING_COLUMNS,
  defaults: defaultBinding,
  validate: validateBinding,
  validateUpdate: sameRole,
};

export const CLUSTER_ROLE_BINDING: Kind = {
  ...RBAC,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  type: 'V1ClusterRoleBinding',
  columns: BINDING_COLUMNS,
  defaults: defaultBinding,
  validate: validateBinding,
  validateUpdate: sameRole,
};

function defaultBinding(binding: KubeObject): void {
  setDefault(ensureObject(binding, 'roleRef'), 'apiGroup', GROUP);
  for (const subject of objectsAt(binding, 'subjects')) {
    if (subject.kind !== 'ServiceAccount') setDefault(subject, 'apiGroup', GROUP);
  }
}

function validateBinding(binding: KubeObject): FieldError[] {
  const wrong = objectsAt(binding, 'subjects').flatMap((subject, index) =>
    SUBJECTS.includes(textAt(subject, 'kind'))
      ? []
      : [unsupported(`subjects[${index}].kind`, textAt(subject, 'kind'), SUBJECTS)],
  );
  return [...needs(binding, 'roleRef', 'name'), ...wrong];
}

function sameRole(binding: KubeObject, old: KubeObject): FieldError[] {
  if (sameJson(binding.roleRef, old.roleRef)) return [];
  return [invalid('roleRef', binding.roleRef ?? null, 'cannot change roleRef')];
}
