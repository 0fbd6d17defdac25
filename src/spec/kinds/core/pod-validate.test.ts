import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultPodSpec } from '#spec/kinds/core/pod-defaults.ts';
import { validatePodSpec } from '#spec/kinds/core/pod-validate.ts';
import { copyJson, type JsonObject } from '#spec/kinds/json.ts';

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

/** What is wrong with a pod of one container, as `reason field: message`. */
function faults(spec: JsonObject, container: JsonObject = {}): string[] {
  const whole: JsonObject = copyJson({ containers: [{ name: 'c', image: 'i', ...container }], ...spec });
  defaultPodSpec(whole);
  return validatePodSpec(whole, 'spec').map(({ reason, field, message }) => `${reason} ${field}: ${message}`);
}

const node = (key: string, value: JsonObject | JsonObject[]): JsonObject => ({
  affinity: { nodeAffinity: { [key]: value } },
});
const term = (requirement: JsonObject): JsonObject => ({ nodeSelectorTerms: [{ matchExpressions: [requirement] }] });
const spread = (more: JsonObject): JsonObject => ({
  maxSkew: 1,
  topologyKey: 'zone',
  whenUnsatisfiable: 'DoNotSchedule',
  ...more,
});

const ROWS: readonly (readonly [string, JsonObject, JsonObject, readonly RegExp[]])[] = [
  [
    'a whole pod',
    { tolerations: [{ operator: 'Exists' }], hostAliases: [{ ip: '10.0.0.1', hostnames: ['a'] }] },
    {},
    [],
  ],
  [
    'a request above its limit',
    {},
    { resources: { requests: { cpu: '2' }, limits: { cpu: '1500m' } } },
    [
      /^FieldValueInvalid spec.containers\[0\].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1500m$/,
    ],
  ],
  [
    'a toleration without a key',
    { tolerations: [{ value: 'x' }] },
    {},
    [/spec.tolerations\[0\].operator: .*operator must be Exists when `key` is empty/],
  ],
  [
    'a toleration of all with a value',
    { tolerations: [{ key: 'a', operator: 'Exists', value: 'x' }] },
    {},
    [/tolerations\[0\].operator: .*value must be empty/],
  ],
  [
    'a toleration with an unknown effect and a time',
    { tolerations: [{ key: 'a', effect: 'Never', tolerationSeconds: 1 }] },
    {},
    [/tolerations\[0\].effect: .*must be 'NoExecute'/, /^FieldValueNotSupported spec.tolerations\[0\].effect/],
  ],
  [
    'node affinity without terms',
    node(REQUIRED, {}),
    {},
    [/^FieldValueRequired .*nodeSelectorTerms: Required value: must have at least one/],
  ],
  [
    'node affinity without values',
    node(REQUIRED, term({ key: 'a', operator: 'In' })),
    {},
    [/matchExpressions\[0\].values: Required value: must be specified when/],
  ],
  [
    'node affinity with values that nothing compares',
    node(REQUIRED, term({ key: 'a', operator: 'Exists', values: ['x'] })),
    {},
    [/^FieldValueForbidden .*values/],
  ],
  [
    'node affinity that compares with two',
    node(REQUIRED, term({ key: 'a', operator: 'Gt', values: ['1', '2'] })),
    {},
    [/values: Required value: must be specified single value/],
  ],
  [
    'node affinity by an unknown operator',
    node(REQUIRED, term({ key: 'a', operator: 'Near' })),
    {},
    [/operator: .*not a valid selector operator/],
  ],
  [
    'a preference without a weight',
    node(PREFERRED, [{ preference: {} }]),
    {},
    [/\[0\].weight: Invalid value: 0: must be in the range 1-100/],
  ],
  [
    'pod affinity without a topology',
    { affinity: { podAntiAffinity: { [REQUIRED]: [{ labelSelector: { matchLabels: { a: 'b' } } }] } } },
    {},
    [/^FieldValueRequired spec.affinity.podAntiAffinity.*\[0\].topologyKey: Required value: can not be empty$/],
  ],
  [
    'pod affinity that compares labels by size',
    {
      affinity: {
        podAffinity: {
          [REQUIRED]: [
            { topologyKey: 'z', labelSelector: { matchExpressions: [{ key: 'a', operator: 'Gt', values: ['1'] }] } },
          ],
        },
      },
    },
    {},
    [/labelSelector.matchExpressions\[0\].operator: .*not a valid selector operator/],
  ],
  [
    'spread without skew, twice',
    { topologySpreadConstraints: [spread({ maxSkew: 0 }), spread({ whenUnsatisfiable: 'Maybe' }), spread({})] },
    {},
    [
      /\[0\].maxSkew: Invalid value: 0: must be greater than zero/,
      /^FieldValueNotSupported .*\[1\].whenUnsatisfiable/,
      /^FieldValueDuplicate .*\[2\]/,
    ],
  ],
  [
    'a volume of two kinds',
    { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
    {},
    [/^FieldValueForbidden spec.volumes\[0\].hostPath: Forbidden: may not specify more than 1 volume type$/],
  ],
  [
    'volumes that name nothing',
    {
      volumes: [
        { name: 'a', secret: {} },
        { name: 'b', hostPath: {} },
        { name: 'c', persistentVolumeClaim: {} },
      ],
    },
    {},
    [
      /^FieldValueRequired spec.volumes\[0\].secret.secretName/,
      /^FieldValueRequired spec.volumes\[1\].hostPath.path/,
      /^FieldValueRequired spec.volumes\[2\].persistentVolumeClaim.claimName/,
    ],
  ],
  [
    'a variable from nowhere',
    {},
    { env: [{ name: 'A', valueFrom: {} }] },
    [/env\[0\].valueFrom: .*must specify one of: `fieldRef`/],
  ],
  [
    'a variable from two places',
    {},
    {
      env: [
        { name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' }, secretKeyRef: { name: 's', key: 'k' } } },
      ],
    },
    [/may not have more than one field/],
  ],
  [
    'a variable of a field that is none',
    {},
    { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.colour' } } }] },
    [/^FieldValueNotSupported spec.containers\[0\].env\[0\].valueFrom.fieldRef.fieldPath/],
  ],
  [
    'variables of fields',
    {},
    {
      env: [
        { name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a.b/c']" } } },
        { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
    },
    [],
  ],
  [
    'an init container called as another',
    { initContainers: [{ name: 'c', image: 'i' }] },
    {},
    [/^FieldValueDuplicate spec.initContainers\[0\].name/],
  ],
  [
    'a hook that does nothing, and one that does two things',
    {},
    { lifecycle: { postStart: {}, preStop: { exec: { command: ['x'] }, sleep: { seconds: 1 } } } },
    [
      /^FieldValueRequired spec.containers\[0\].lifecycle.postStart: Required value: must specify a handler type$/,
      /^FieldValueForbidden spec.containers\[0\].lifecycle.preStop.sleep/,
    ],
  ],
  [
    'a port of the node that is another',
    { hostNetwork: true },
    { ports: [{ containerPort: 80, hostPort: 81 }] },
    [/ports\[0\].containerPort: .*must match `hostPort`/],
  ],
  [
    'a name for no address',
    { hostAliases: [{ ip: '1.2.3', hostnames: ['a'] }] },
    {},
    [/hostAliases\[0\].ip: Invalid value: "1.2.3": must be a valid IP address/],
  ],
  [
    'a deadline in the past',
    { activeDeadlineSeconds: 0 },
    {},
    [/activeDeadlineSeconds: Invalid value: 0: must be between 1 and/],
  ],
  [
    'a user below zero, privileged and not',
    {},
    { securityContext: { runAsUser: -1, privileged: true, allowPrivilegeEscalation: false } },
    [
      /securityContext.runAsUser: Invalid value: -1: must be between 0 and/,
      /securityContext: .*cannot set `allowPrivilegeEscalation` to false and `privileged` to true/,
    ],
  ],
];

describe('validatePodSpec', () => {
  for (const [name, spec, container, says] of ROWS)
    it(`says of ${name} what is wrong`, () => {
      const found = faults(spec, container);
      assert.equal(found.length, says.length, found.join('\n'));
      for (const [index, pattern] of says.entries()) assert.match(found[index] ?? '', pattern);
    });
});
