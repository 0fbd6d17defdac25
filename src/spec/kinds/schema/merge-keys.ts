/**
 * How lists are merged by a strategic merge patch: facts of the API reference ("patch strategy", "patch merge key")
 * that the generated types do not carry. A list that is not here is replaced as a whole.
 */
export interface MergeRule {
  /** Field that tells items apart; undefined for lists of texts, which are united. */
  readonly key?: string;
  /** Keys of an item that the patch does not name in `$retainKeys` go (unions such as volumes). */
  readonly retainKeys?: true;
}

const CONDITIONS: MergeRule = { key: 'type' };
const CONTAINER_LISTS = {
  ports: { key: 'containerPort' },
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
    topologySpreadConstraints: { key: 'topologyKey' },
    resourceClaims: { key: 'name', retainKeys: true },
    schedulingGates: { key: 'name' },
  },
  V1Container: CONTAINER_LISTS,
  V1EphemeralContainer: CONTAINER_LISTS,
  V1PodStatus: {
    conditions: CONDITIONS,
    podIPs: { key: 'ip' },
    hostIPs: { key: 'ip' },
    resourceClaimStatuses: { key: 'name', retainKeys: true },
  },
  V1NodeSpec: { podCIDRs: {} },
  V1NodeStatus: { conditions: CONDITIONS, addresses: { key: 'type' } },
  V1NamespaceStatus: { conditions: CONDITIONS },
  V1ServiceSpec: { ports: { key: 'port' } },
  V1ServiceStatus: { conditions: CONDITIONS },
  V1ServiceAccount: { secrets: { key: 'name' } },
  V1DaemonSetStatus: { conditions: CONDITIONS },
  V1DeploymentStatus: { conditions: CONDITIONS },
  V1ReplicaSetStatus: { conditions: CONDITIONS },
  V1StatefulSetStatus: { conditions: CONDITIONS },
  V1JobStatus: { conditions: CONDITIONS },
  V1PodDisruptionBudgetStatus: { conditions: CONDITIONS },
};

/** The rule of a list field, undefined for lists that are replaced. */
export function mergeRuleOf(type: string | undefined, field: string): MergeRule | undefined {
  if (type === undefined) return undefined;
  const rules = RULES[type];
  return rules !== undefined && Object.hasOwn(rules, field) ? rules[field] : undefined;
}

/** All rules as `[type, field, rule]`, for the OpenAPI documents and for tests that look for holes. */
export function* allMergeRules(): Generator<readonly [string, string, MergeRule]> {
  for (const [type, fields] of Object.entries(RULES)) {
    for (const [field, rule] of Object.entries(fields)) yield [type, field, rule];
  }
}
