/** What every cluster has from the start. */
import { type Api, keyOf } from '#serve/api/api.ts';
import { ruleOf, uncovered } from '#serve/api/authorization/rules.ts';
import {
  DEFAULT_BINDINGS,
  DEFAULT_ROLES,
  type DefaultBinding,
  type DefaultRole,
} from '#serve/api/content/default-roles.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { createObject } from '#serve/api/verbs/create.ts';
import { NAMESPACE } from '#spec/kinds/core/namespace.ts';
import { SERVICE } from '#spec/kinds/core/service.ts';
import { KUBERNETES_SERVICE_ADDRESS } from '#spec/kinds/core/service-address.ts';
import { at, type JsonObject, objectsAt } from '#spec/kinds/json.ts';
import { apiVersionOf, type Kind, type KubeObject } from '#spec/kinds/kind.ts';
import { CLUSTER_ROLE, CLUSTER_ROLE_BINDING } from '#spec/kinds/rbac.ts';
import { PRIORITY_CLASS, SYSTEM_PRIORITY_CLASSES } from '#spec/kinds/scheduling.ts';

const NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
const RBAC_GROUP = 'rbac.authorization.k8s.io';
const AUTO_UPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const RBAC_METADATA = {
  annotations: { [AUTO_UPDATE]: 'true' },
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
};

/** Makes the namespaces, the Service `kubernetes`, priority classes, roles and bindings that are missing. */
export function bootstrap(api: Api): void {
  for (const name of NAMESPACES) ensure(api, NAMESPACE, '', { name }, { spec: {} });
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const ports = [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }];
  const spec = { type: 'ClusterIP', clusterIP: KUBERNETES_SERVICE_ADDRESS, ports };
  ensure(api, SERVICE, 'default', { name: 'kubernetes', labels }, { spec });
  for (const [name, content] of Object.entries(SYSTEM_PRIORITY_CLASSES))
    ensure(api, PRIORITY_CLASS, '', { name }, content);
  for (const role of DEFAULT_ROLES) ensureRole(api, role);
  for (const binding of DEFAULT_BINDINGS) ensureBinding(api, binding);
}

function ensureRole(api: Api, { name, labels, rules, aggregates, exact }: DefaultRole): void {
  const { annotations, labels: common } = structuredClone(RBAC_METADATA);
  const selectors = { clusterRoleSelectors: [{ matchLabels: { [aggregates ?? '']: 'true' } }] };
  const content = { rules: [...rules], ...(aggregates === undefined ? {} : { aggregationRule: selectors }) };
  ensure(api, CLUSTER_ROLE, '', { name, annotations, labels: { ...common, ...labels } }, content);
  if (aggregates === undefined) updateRules(api, name, rules, exact === true);
}

/** Brings a role that an older version made up to date, unless its annotation says not to (Kubernetes "Auto-reconciliation"). */
function updateRules(api: Api, name: string, rules: readonly JsonObject[], exact: boolean): void {
  const target = { kind: CLUSTER_ROLE, namespace: '', name, subresource: '' };
  const update = (role: KubeObject): KubeObject => {
    if (at(role, 'metadata', 'annotations', AUTO_UPDATE) !== 'true') return role;
    const kept = exact ? [] : objectsAt(role, 'rules');
    const missing = exact ? rules : rules.filter((one) => uncovered(kept.map(ruleOf), [ruleOf(one)]).length > 0);
    return missing.length === 0 ? role : { ...role, rules: [...kept, ...structuredClone(missing)] };
  };
  changeObject(api, target, update, false);
}

function ensureBinding(api: Api, { name, role, subjects }: DefaultBinding): void {
  const roleRef = { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: role };
  const all = subjects.map((subject) => ({ ...subject, apiGroup: RBAC_GROUP }));
  ensure(api, CLUSTER_ROLE_BINDING, '', { name, ...structuredClone(RBAC_METADATA) }, { roleRef, subjects: all });
}

function ensure(
  api: Api,
  kind: Kind,
  namespace: string,
  metadata: JsonObject & { name: string },
  content: JsonObject,
): void {
  if (api.store.get(keyOf(kind, namespace, metadata.name)) !== undefined) return;
  const object = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata, ...structuredClone(content) };
  createObject(api, kind, namespace, object, false);
}
