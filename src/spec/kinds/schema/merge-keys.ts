/**
 * How lists and maps are merged by a strategic merge patch and by server-side apply: facts of the API reference ("patch
 * strategy", "patch merge key", `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`) that the generated types do not
 * carry. A list that is not here is replaced, and owned, as a whole; a map is merged, and owned, key by key.
 */
import type { JsonObject } from '#spec/kinds/json.ts';

export interface MergeRule {
  /** Field that tells items apart; undefined for lists of texts, which are united. */
  readonly key?: string;
  /** Keys of an item that the patch does not name in `$retainKeys` go (unions such as volumes). */
  readonly retainKeys?: true;
  /** Server-side apply tells items apart by these fields, where that is not `key` alone. */
  readonly keys?: readonly string[];
  /** Server-side apply takes the list as a whole all the same. */
  readonly atomic?: true;
}

const CONDITIONS: MergeRule = { key: 'type' };
/** Keys that are filled in when an item leaves them out. */
const KEY_DEFAULTS: JsonObject = { protocol: 'TCP' };
const CONTAINER_LISTS = {
  ports: { key: 'containerPort', keys: ['containerPort', 'protocol'] },
  env: { key: 'name' },
  volumeMounts: { key: 'mountPath' },
  volumeDevices: { key: 'devicePath' },
} as const satisfies Record<string, MergeRule>;

const RULES: Readonly<Record<string, Readonly<Record<string, MergeRule>>>> = {
  V1ObjectMeta: { ownerReferences: { key: 'uid' }, finalizers: {} },
  V1PodSpec: {
    containers: { key: 'name' },
    initContainers: { key: 'name' },
    ephemeralContainers: { key: 'name' },
    volumes: { key: 'name', retainKeys: true },
    imagePullSecrets: { key: 'name' },
    hostAliases: { key: 'ip' },
    topologySpreadConstraints: { key: 'topologyKey', keys: ['topologyKey', 'whenUnsatisfiable'] },
    resourceClaims: { key: 'name', retainKeys: true },
    schedulingGates: { key: 'name' },
  },
  V1Container: CONTAINER_LISTS,
  V1EphemeralContainer: CONTAINER_LISTS,
  V1PodStatus: {
    conditions: CONDITIONS,
    podIPs: { key: 'ip' },
    hostIPs: { key: 'ip', atomic: true },
    resourceClaimStatuses: { key: 'name', retainKeys: true },
  },
  V1NodeSpec: { podCIDRs: {} },
  V1NodeStatus: { conditions: CONDITIONS, addresses: { key: 'type' } },
  V1NamespaceStatus: { conditions: CONDITIONS },
  V1ServiceSpec: { ports: { key: 'port', keys: ['port', 'protocol'] } },
  V1ServiceStatus: { conditions: CONDITIONS },
  V1ServiceAccount: { secrets: { key: 'name' } },
  V1DaemonSetStatus: { conditions: CONDITIONS },
  V1DeploymentStatus: { conditions: CONDITIONS },
  V1ReplicaSetStatus: { conditions: CONDITIONS },
  V1StatefulSetStatus: { conditions: CONDITIONS },
  V1JobStatus: { conditions: { key: 'type', atomic: true } },
  V1PodDisruptionBudgetStatus: { conditions: CONDITIONS },
  V1PersistentVolumeClaimStatus: { conditions: CONDITIONS },
  V1CertificateSigningRequestStatus: { conditions: CONDITIONS },
  V1MutatingWebhookConfiguration: { webhooks: { key: 'name' } },
  V1ValidatingWebhookConfiguration: { webhooks: { key: 'name' } },
  V1MutatingWebhook: { matchConditions: { key: 'name' } },
  V1ValidatingWebhook: { matchConditions: { key: 'name' } },
  V1ValidatingAdmissionPolicySpec: { matchConditions: { key: 'name' }, variables: { key: 'name' } },
  V1ValidatingAdmissionPolicyStatus: { conditions: CONDITIONS },
  V1APIServiceStatus: { conditions: CONDITIONS },
  V2HorizontalPodAutoscalerStatus: { conditions: CONDITIONS },
  V1CSINodeSpec: { drivers: { key: 'name' } },
};

/** The rule of a list field, undefined for lists that are replaced. */
export function mergeRuleOf(type: string | undefined, field: string): MergeRule | undefined {
  if (type === undefined) return undefined;
  const rules = RULES[type];
  return rules !== undefined && Object.hasOwn(rules, field) ? rules[field] : undefined;
}

/** Lists that only server-side apply merges, by these keys. */
const APPLY_LISTS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  V1ResourceRequirements: { claims: ['name'] },
  V1CustomResourceDefinitionStatus: { conditions: ['type'] },
};

/** Maps that are owned as a whole. */
const ATOMIC_MAPS: Readonly<Record<string, readonly string[]>> = {
  V1PodSpec: ['nodeSelector'],
  V1ServiceSpec: ['selector'],
  V1Scheduling: ['nodeSelector'],
};

/** Types that are owned as a whole (`x-kubernetes-map-type: atomic`). */
const ATOMIC_TYPES: ReadonlySet<string> = new Set([
  'V1LabelSelector',
  'V1ObjectReference',
  'V1LocalObjectReference',
  'V1NodeSelector',
  'V1NodeSelectorTerm',
  'V1SecretKeySelector',
  'V1ConfigMapKeySelector',
  'V1ObjectFieldSelector',
  'V1ResourceFieldSelector',
  'V1FileKeySelector',
  'V1TypedLocalObjectReference',
  'V1SecretReference',
  'V1OwnerReference',
  'V1RoleRef',
  'V1ScopeSelector',
  'V1ServiceBackendPort',
  'V1TopologySelectorTerm',
  'CoreV1EndpointPort',
  'DiscoveryV1EndpointPort',
  'RbacV1Subject',
]);

export type ApplyRule =
  | { readonly is: 'atomic' }
  | { readonly is: 'set' }
  | { readonly is: 'keyed'; readonly keys: readonly string[]; readonly defaults: JsonObject };

/** How server-side apply merges a list or a map; undefined is what is usual for the one or the other. */
export function applyRuleOf(type: string, field: string): ApplyRule | undefined {
  if (ATOMIC_MAPS[type]?.includes(field) === true) return { is: 'atomic' };
  const rule = mergeRuleOf(type, field);
  if (rule?.atomic === true) return { is: 'atomic' };
  const own = APPLY_LISTS[type];
  const keys = own !== undefined && Object.hasOwn(own, field) ? own[field] : (rule?.keys ?? (rule?.key && [rule.key]));
  if (keys !== undefined && keys !== '') return { is: 'keyed', keys, defaults: defaultsOf(keys) };
  return rule === undefined ? undefined : { is: 'set' };
}

function defaultsOf(keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(KEY_DEFAULTS).filter(([key]) => keys.includes(key)));
}

export function isAtomicType(type: string): boolean {
  return ATOMIC_TYPES.has(type);
}

/** All rules as `[type, field, rule]`, for the OpenAPI documents and for tests that look for holes. */
export function* allMergeRules(): Generator<readonly [string, string, MergeRule]> {
  for (const [type, fields] of Object.entries(RULES)) {
    for (const [field, rule] of Object.entries(fields)) yield [type, field, rule];
  }
}
