/**
 * Roles and bindings that every cluster has (Kubernetes "Using RBAC Authorization" §Default roles and role bindings),
 * and those of Polder's own programs.
 */
import type { JsonObject } from '#spec/kinds/json.ts';

export interface DefaultRole {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly rules: readonly JsonObject[];
  /** Its rules are those of all roles with this label; kept up to date by the controller. */
  readonly aggregates?: string;
  /** Rules of an older version that are no longer here are taken away; else what somebody added stays. */
  readonly exact?: boolean;
}

export interface DefaultBinding {
  readonly name: string;
  readonly role: string;
  readonly subjects: readonly { readonly kind: 'Group' | 'User'; readonly name: string }[];
}

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

function rule(apiGroups: string[], resources: string[], verbs: string[]): JsonObject {
  return { apiGroups, resources, verbs };
}

function paths(nonResourceURLs: string[], verbs: string[]): JsonObject {
  return { nonResourceURLs, verbs };
}

/** Namespaced kinds that people who may look may look at: no Secrets, no roles. */
const SHOWN: readonly (readonly [string, string[]])[] = [
  [
    '',
    [
      'bindings',
      'configmaps',
      'endpoints',
      'events',
      'limitranges',
      'namespaces',
      'namespaces/status',
      'persistentvolumeclaims',
      'persistentvolumeclaims/status',
      'pods',
      'pods/log',
      'pods/status',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'resourcequotas',
      'resourcequotas/status',
      'serviceaccounts',
      'services',
      'services/status',
    ],
  ],
  ['discovery.k8s.io', ['endpointslices']],
  [
    'apps',
    [
      'controllerrevisions',
      'daemonsets',
      'daemonsets/status',
      'deployments',
      'deployments/scale',
      'deployments/status',
      'replicasets',
      'replicasets/scale',
      'replicasets/status',
      'statefulsets',
      'statefulsets/scale',
      'statefulsets/status',
    ],
  ],
  ['autoscaling', ['horizontalpodautoscalers', 'horizontalpodautoscalers/status']],
  ['batch', ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status']],
  ['policy', ['poddisruptionbudgets', 'poddisruptionbudgets/status']],
  ['networking.k8s.io', ['ingresses', 'ingresses/status', 'networkpolicies']],
  ['k8s.cni.cncf.io', ['network-attachment-definitions']],
  ['metrics.k8s.io', ['pods', 'nodes']],
];

const EDITED: readonly (readonly [string, string[]])[] = [
  ['', ['configmaps', 'events', 'persistentvolumeclaims', 'secrets', 'serviceaccounts', 'services', 'services/proxy']],
  ['', ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'replicationcontrollers']],
  ['apps', ['daemonsets', 'deployments', 'deployments/rollback', 'deployments/scale', 'replicasets']],
  ['apps', ['replicasets/scale', 'statefulsets', 'statefulsets/scale']],
  ['autoscaling', ['horizontalpodautoscalers']],
  ['batch', ['cronjobs', 'jobs']],
  ['policy', ['poddisruptionbudgets']],
  ['networking.k8s.io', ['ingresses', 'networkpolicies']],
  ['k8s.cni.cncf.io', ['network-attachment-definitions']],
];

const VIEW = SHOWN.map(([group, resources]) => rule([group], resources, READ));
const EDIT = [
  rule([''], ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'], READ),
  rule([''], ['serviceaccounts'], ['impersonate']),
  rule([''], ['pods/eviction', 'serviceaccounts/token'], ['create']),
  rule(['coordination.k8s.io'], ['leases'], [...READ, ...WRITE]),
  ...EDITED.map(([group, resources]) => rule([group], resources, WRITE)),
];
const ADMINISTER = [
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews'], ['create']),
  rule(['rbac.authorization.k8s.io'], ['rolebindings', 'roles'], [...READ, ...WRITE]),
];

/** Groups of network resources, which agents read. */
const NETWORKS = ['crd.projectcalico.org', 'projectcalico.org', 'k8s.cni.cncf.io', 'polder.dev'];

/** Addresses that agents hand out, and whose they are. */
const ADDRESSES = ['blockaffinities', 'ipamblocks', 'ipamhandles'];

/**
 * Kubelets and agents. What of it is a node's own, and which Secrets, ConfigMaps and claims it may read, is decided by
 * what it is and what its pods name (`authorization/node.ts`, `authorization/node-writes.ts`).
 */
const NODE = [
  rule([''], ['endpoints', 'namespaces', 'nodes', 'pods', 'services'], READ),
  rule(['discovery.k8s.io'], ['endpointslices'], READ),
  rule(['networking.k8s.io'], ['networkpolicies'], READ),
  rule(['policy.networking.k8s.io'], ['*'], READ),
  rule(['node.k8s.io'], ['runtimeclasses'], READ),
  rule(['storage.k8s.io'], ['csidrivers'], READ),
  rule(['storage.k8s.io'], ['csinodes'], ['create', 'delete', 'get', 'patch', 'update']),
  rule([''], ['nodes', 'nodes/status'], ['create', 'patch', 'update']),
  // To patch: polder-multi writes the annotation network-status.
  rule([''], ['pods'], ['create', 'delete', 'patch']),
  rule([''], ['pods/status'], ['patch', 'update']),
  rule([''], ['pods/eviction'], ['create']),
  rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
  rule(['coordination.k8s.io'], ['leases'], ['create', 'delete', 'get', 'patch', 'update']),
  rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
  rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create']),
  rule(NETWORKS, ['*'], READ),
  rule(['crd.projectcalico.org'], ADDRESSES, WRITE),
];

const OPEN = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
const DISCOVERY = ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', ...OPEN];

export const DEFAULT_ROLES: readonly DefaultRole[] = [
  { name: 'cluster-admin', rules: [rule(['*'], ['*'], ['*']), paths(['*'], ['*'])] },
  { name: 'system:discovery', rules: [paths(DISCOVERY, ['get'])] },
  { name: 'system:public-info-viewer', rules: [paths(OPEN, ['get'])] },
  {
    name: 'system:basic-user',
    rules: [
      rule(['authorization.k8s.io'], ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
      rule(['authentication.k8s.io'], ['selfsubjectreviews'], ['create']),
    ],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
      rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create']),
    ],
  },
  { name: 'system:node', rules: NODE, exact: true },
  { name: 'system:aggregate-to-view', labels: { [`${AGGREGATE}view`]: 'true' }, rules: VIEW },
  { name: 'system:aggregate-to-edit', labels: { [`${AGGREGATE}edit`]: 'true' }, rules: EDIT },
  { name: 'system:aggregate-to-admin', labels: { [`${AGGREGATE}admin`]: 'true' }, rules: ADMINISTER },
  { name: 'view', labels: { [`${AGGREGATE}edit`]: 'true' }, rules: VIEW, aggregates: `${AGGREGATE}view` },
  {
    name: 'edit',
    labels: { [`${AGGREGATE}admin`]: 'true' },
    rules: [...EDIT, ...VIEW],
    aggregates: `${AGGREGATE}edit`,
  },
  { name: 'admin', rules: [...EDIT, ...VIEW, ...ADMINISTER], aggregates: `${AGGREGATE}admin` },
];

const AUTHENTICATED = { kind: 'Group', name: 'system:authenticated' } as const;

export const DEFAULT_BINDINGS: readonly DefaultBinding[] = [
  { name: 'cluster-admin', role: 'cluster-admin', subjects: [{ kind: 'Group', name: 'system:masters' }] },
  { name: 'system:discovery', role: 'system:discovery', subjects: [AUTHENTICATED] },
  { name: 'system:public-info-viewer', role: 'system:public-info-viewer', subjects: [AUTHENTICATED] },
  { name: 'system:basic-user', role: 'system:basic-user', subjects: [AUTHENTICATED] },
  { name: 'system:node', role: 'system:node', subjects: [{ kind: 'Group', name: 'system:nodes' }] },
  {
    // In the lab one process holds all controllers, among them those that end whatever there is.
    name: 'polder:controller',
    role: 'cluster-admin',
    subjects: [{ kind: 'User', name: 'system:kube-controller-manager' }],
  },
];
