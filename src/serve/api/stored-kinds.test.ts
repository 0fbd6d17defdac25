/** Kinds that are kept for those who bring what acts on them: defaults, columns and checks as Kubernetes has them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PODS, pod, startServer, TABLE } from '#serve/api/testing/server.ts';
import { at, type Json, type JsonObject, listAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const CORE = '/api/v1/namespaces/default';
const STORAGE = '/apis/storage.k8s.io/v1';
const CONTAINERS = [{ name: 'c', image: 'busybox' }];
const REQUEST = { requests: { storage: '1Gi' } };
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const WEBHOOK = {
  name: 'a.example.com',
  clientConfig: { service: { namespace: 'n', name: 's' } },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const SCALED = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };

interface Row {
  readonly path: string;
  /** `x`, if it is not said. */
  readonly name?: string;
  /** All but `metadata.name`. */
  readonly body: JsonObject;
  /** What is filled in, by path. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Names of columns that are always shown, and what stands in them without the age. */
  readonly columns: readonly string[];
  readonly cells: readonly unknown[];
  /** Bodies that are refused, and the causes. */
  readonly wrong: readonly (readonly [JsonObject, readonly string[]])[];
  /** A merge patch that is refused, and the causes. */
  /** What every writer is told. */
  readonly warns?: RegExp;
  readonly frozen?: readonly [JsonObject, readonly string[]];
}

const ROWS: readonly Row[] = [
  {
    path: `${CORE}/persistentvolumeclaims`,
    body: { spec: { accessModes: ['ReadWriteMany', 'ReadWriteOnce'], resources: REQUEST } },
    defaults: { 'spec.volumeMode': 'Filesystem', 'status.phase': 'Pending', 'spec.storageClassName': undefined },
    columns: ['Name', 'Status', 'Volume', 'Capacity', 'Access Modes', 'StorageClass', 'VolumeAttributesClass', 'Age'],
    cells: ['x', 'Pending', '', '', '', '', '<unset>'],
    wrong: [
      [{ spec: {} }, ['FieldValueRequired spec.accessModes', 'FieldValueRequired spec.resources[storage]']],
      [
        { spec: { accessModes: ['Sometimes'], resources: { requests: { storage: '0' } }, volumeMode: 'Tape' } },
        [
          'FieldValueNotSupported spec.accessModes',
          'FieldValueInvalid spec.resources[storage]',
          'FieldValueNotSupported spec.volumeMode',
        ],
      ],
      [
        { spec: { accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'], resources: REQUEST } },
        ['FieldValueForbidden spec.accessModes'],
      ],
    ],
    frozen: [{ spec: { accessModes: ['ReadOnlyMany'] } }, ['FieldValueForbidden spec']],
  },
  {
    path: '/api/v1/persistentvolumes',
    body: {
      spec: { capacity: { storage: '5Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/srv' } },
    },
    defaults: {
      'spec.persistentVolumeReclaimPolicy': 'Retain',
      'spec.volumeMode': 'Filesystem',
      'spec.hostPath.type': '',
      'status.phase': 'Pending',
    },
    columns: [
      'Name',
      'Capacity',
      'Access Modes',
      'Reclaim Policy',
      'Status',
      'Claim',
      'StorageClass',
      'VolumeAttributesClass',
      'Reason',
      'Age',
    ],
    cells: ['x', '5Gi', 'RWO', 'Retain', 'Pending', '', '', '<unset>', ''],
    wrong: [
      [{ spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] } }, ['FieldValueRequired spec']],
      [
        { spec: { accessModes: ['ReadWriteOnce'], nfs: { path: '/', server: 'a' }, hostPath: { path: '/srv' } } },
        ['FieldValueRequired spec.capacity', 'FieldValueForbidden spec.hostPath'],
      ],
    ],
    frozen: [{ spec: { hostPath: { path: '/other' } } }, ['FieldValueForbidden spec.persistentvolumesource']],
  },
  {
    path: `${STORAGE}/storageclasses`,
    body: { provisioner: 'example.com/disk', parameters: { type: 'fast' } },
    defaults: { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
    columns: ['Name', 'Provisioner', 'ReclaimPolicy', 'VolumeBindingMode', 'AllowVolumeExpansion', 'Age'],
    cells: ['x', 'example.com/disk', 'Delete', 'Immediate', 'false'],
    wrong: [
      [
        { volumeBindingMode: 'Never', reclaimPolicy: 'Recycle' },
        [
          'FieldValueRequired provisioner',
          'FieldValueNotSupported reclaimPolicy',
          'FieldValueNotSupported volumeBindingMode',
        ],
      ],
    ],
    frozen: [{ parameters: { type: 'slow' } }, ['FieldValueForbidden parameters']],
  },
  {
    path: `${STORAGE}/csinodes`,
    body: { spec: { drivers: [{ name: 'disk.example.com', nodeID: 'n' }] } },
    defaults: {},
    columns: ['Name', 'Drivers', 'Age'],
    cells: ['x', 1],
    wrong: [[{ spec: { drivers: [{ name: 'd', nodeID: '' }] } }, ['FieldValueRequired spec.drivers[0].nodeID']]],
  },
  {
    path: `${STORAGE}/csidrivers`,
    body: { spec: {} },
    defaults: { 'spec.attachRequired': true, 'spec.fsGroupPolicy': 'ReadWriteOnceWithFSType' },
    columns: [
      'Name',
      'AttachRequired',
      'PodInfoOnMount',
      'StorageCapacity',
      'TokenRequests',
      'RequiresRepublish',
      'Modes',
      'Age',
    ],
    cells: ['x', 'true', 'false', 'false', '<unset>', 'false', 'Persistent'],
    wrong: [],
  },
  {
    path: `${CORE}/limitranges`,
    body: { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { cpu: '100m', memory: '4Mi' } }] } },
    defaults: {
      'spec.limits': [
        {
          type: 'Container',
          max: { cpu: '2' },
          min: { cpu: '100m', memory: '4Mi' },
          default: { cpu: '2' },
          defaultRequest: { cpu: '2', memory: '4Mi' },
        },
      ],
    },
    columns: ['Name', 'Created At'],
    cells: ['x'],
    wrong: [
      [
        { spec: { limits: [{ type: 'Pod', default: { cpu: '1' } }, { type: 'Gadget' }] } },
        ['FieldValueForbidden spec.limits[0].default', 'FieldValueNotSupported spec.limits[1].type'],
      ],
      [
        { spec: { limits: [{ type: 'Pod', min: { cpu: '2' }, max: { cpu: '1500m' } }, { type: 'Pod' }] } },
        ['FieldValueInvalid spec.limits[0].min[cpu]', 'FieldValueDuplicate spec.limits[1].type'],
      ],
    ],
  },
  {
    path: `${CORE}/resourcequotas`,
    body: { spec: { hard: { pods: '10', 'limits.cpu': '4' } } },
    defaults: { status: {} },
    columns: ['Name', 'Request', 'Limit', 'Age'],
    cells: ['x', '', ''],
    wrong: [
      [
        { spec: { hard: { 'bad name': '1', pods: '-1' }, scopes: ['Sometimes'] } },
        [
          'FieldValueInvalid spec.hard[bad name]',
          'FieldValueInvalid spec.hard[pods]',
          'FieldValueNotSupported spec.scopes',
        ],
      ],
    ],
    frozen: [{ spec: { scopes: ['BestEffort'] } }, ['FieldValueInvalid spec.scopes']],
  },
  {
    path: `${CORE}/podtemplates`,
    body: { template: { metadata: { labels: { app: 'web' } }, spec: { containers: CONTAINERS } } },
    defaults: { 'template.spec.restartPolicy': 'Always', 'metadata.generation': 1 },
    columns: ['Name', 'Containers', 'Images', 'Pod Labels'],
    cells: ['x', 'c', 'busybox', 'app=web'],
    wrong: [[{ template: { spec: {} } }, ['FieldValueRequired template.spec.containers']]],
  },
  {
    path: '/apis/node.k8s.io/v1/runtimeclasses',
    body: { handler: 'kata', overhead: { podFixed: { cpu: '250m' } } },
    defaults: {},
    columns: ['Name', 'Handler', 'Age'],
    cells: ['x', 'kata'],
    wrong: [
      [{}, ['FieldValueRequired handler']],
      [{ handler: 'Bad Handler' }, ['FieldValueInvalid handler']],
    ],
    frozen: [{ handler: 'other' }, ['FieldValueInvalid handler']],
  },
  {
    path: `${ADMISSION}/validatingwebhookconfigurations`,
    body: {
      webhooks: [
        { ...WEBHOOK, rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['pods'] }] },
      ],
    },
    defaults: {
      'webhooks.0.failurePolicy': 'Fail',
      'webhooks.0.matchPolicy': 'Equivalent',
      'webhooks.0.timeoutSeconds': 10,
      'webhooks.0.rules.0.scope': '*',
      'webhooks.0.clientConfig.service.port': 443,
      'metadata.generation': 1,
    },
    columns: ['Name', 'Webhooks', 'Age'],
    cells: ['x', 1],
    wrong: [
      [
        { webhooks: [{ name: 'short', clientConfig: {}, sideEffects: 'Some', admissionReviewVersions: [] }] },
        [
          'FieldValueInvalid webhooks[0].name',
          'FieldValueRequired webhooks[0].clientConfig',
          'FieldValueNotSupported webhooks[0].sideEffects',
          'FieldValueRequired webhooks[0].admissionReviewVersions',
        ],
      ],
    ],
    warns: /kept, and their webhooks are not called/,
  },
  {
    path: `${ADMISSION}/mutatingwebhookconfigurations`,
    body: { webhooks: [WEBHOOK] },
    defaults: { 'webhooks.0.reinvocationPolicy': 'Never' },
    columns: ['Name', 'Webhooks', 'Age'],
    cells: ['x', 1],
    wrong: [
      [{ webhooks: [{ ...WEBHOOK, failurePolicy: 'Shrug' }] }, ['FieldValueNotSupported webhooks[0].failurePolicy']],
    ],
    warns: /kept, and their webhooks are not called/,
  },
  {
    path: `${ADMISSION}/validatingadmissionpolicies`,
    body: {
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['pods'] }],
        },
        validations: [{ expression: 'true' }],
      },
    },
    defaults: {
      'spec.failurePolicy': 'Fail',
      'spec.matchConstraints.matchPolicy': 'Equivalent',
      'spec.matchConstraints.resourceRules.0.scope': '*',
    },
    columns: ['Name', 'Validations', 'ParamKind', 'Age'],
    cells: ['x', 1, '<unset>'],
    wrong: [[{ spec: {} }, ['FieldValueRequired spec.matchConstraints', 'FieldValueRequired spec.validations']]],
    warns: /kept, and not evaluated/,
  },
  {
    path: `${ADMISSION}/validatingadmissionpolicybindings`,
    body: { spec: { policyName: 'p', validationActions: ['Deny'], paramRef: { name: 'a', namespace: 'b' } } },
    defaults: {},
    columns: ['Name', 'PolicyName', 'ParamRef', 'Age'],
    cells: ['x', 'p', 'b/a'],
    wrong: [
      [{ spec: {} }, ['FieldValueRequired spec.policyName', 'FieldValueRequired spec.validationActions']],
      [{ spec: { policyName: 'p', validationActions: ['Cry'] } }, ['FieldValueNotSupported spec.validationActions[0]']],
    ],
    warns: /kept, and not evaluated/,
  },
  {
    path: '/apis/apiregistration.k8s.io/v1/apiservices',
    name: 'v1.x.example.com',
    body: {
      spec: {
        group: 'x.example.com',
        version: 'v1',
        service: { namespace: 'n', name: 's' },
        groupPriorityMinimum: 100,
        versionPriority: 100,
      },
    },
    defaults: { 'spec.service.port': 443, 'status.conditions.0.status': 'False' },
    columns: ['Name', 'Service', 'Available', 'Age'],
    cells: ['v1.x.example.com', 'n/s', 'False (NotAggregated)'],
    wrong: [
      [
        { spec: { group: 'y', version: 'v1', groupPriorityMinimum: 0, versionPriority: 1 } },
        ['FieldValueInvalid metadata.name', 'FieldValueInvalid spec.groupPriorityMinimum'],
      ],
    ],
    warns: /are not asked/,
  },
  {
    path: '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers',
    body: { spec: { scaleTargetRef: SCALED, maxReplicas: 3 } },
    defaults: { 'spec.minReplicas': 1, 'spec.metrics.0.resource.target.averageUtilization': 80 },
    columns: ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
    cells: ['x', 'Deployment/web', 'cpu: <unknown>/80%', '1', 3, 0],
    wrong: [
      [
        { spec: { scaleTargetRef: { kind: 'Deployment', name: '' }, minReplicas: 4, maxReplicas: 3 } },
        ['FieldValueRequired spec.scaleTargetRef.name', 'FieldValueInvalid spec.maxReplicas'],
      ],
    ],
    warns: /nothing scales by them/,
  },
];

/** By a path of keys and places in lists: `webhooks.0.name`. */
function deep(body: JsonObject, path: string): unknown {
  let found: Json | undefined = body;
  for (const key of path.split('.')) found = Array.isArray(found) ? found[Number(key)] : at(found, key);
  return found;
}

function causesOf(body: JsonObject): string[] {
  return objectsAt(body, 'details', 'causes').map((one) => `${textAt(one, 'reason')} ${textAt(one, 'field')}`);
}

describe('stored kinds', () => {
  for (const { path, name = 'x', body, defaults, columns, cells, wrong, frozen, warns } of ROWS) {
    it(`${path} fills in, prints and refuses as Kubernetes does`, async () => {
      await using server = await startServer();
      const { client } = server;
      for (const [bad, causes] of wrong) {
        const refused = await client.ask('POST', path, { metadata: { name }, ...bad });
        assert.deepEqual([refused.status, causesOf(refused.body)], [422, causes], refused.text);
      }
      const made = await client.ask('POST', `${path}?fieldValidation=Strict`, { metadata: { name }, ...body });
      assert.equal(made.status, 201, made.text);
      if (warns !== undefined) assert.match(String(made.headers.warning), warns);
      for (const [key, value] of Object.entries(defaults)) assert.deepEqual(deep(made.body, key), value, key);
      const table = await client.ask('GET', path, undefined, { headers: TABLE });
      const shown = objectsAt(table.body, 'columnDefinitions').filter((one) => one.priority === 0);
      assert.deepEqual(
        shown.map((one) => one.name),
        columns,
      );
      assert.deepEqual(listAt(objectsAt(table.body, 'rows')[0], 'cells').slice(0, cells.length), cells);
      if (frozen === undefined) return;
      const changed = await client.ask('PATCH', `${path}/x`, frozen[0], MERGE);
      assert.deepEqual([changed.status, causesOf(changed.body)], [422, frozen[1]], changed.text);
    });
  }

  it('an autoscaler is the same in the words of v1 and of v2', async () => {
    await using server = await startServer();
    const { client } = server;
    const [one, two] = ['v1', 'v2'].map(
      (version) => `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`,
    );
    const spec = { scaleTargetRef: SCALED, maxReplicas: 5, targetCPUUtilizationPercentage: 70 };
    const made = await client.ask('POST', one ?? '', { metadata: { name: 'web' }, spec });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(made.body.spec, { ...spec, minReplicas: 1 });
    const other = await client.ask('GET', `${two}/web`);
    assert.equal(deep(other.body, 'spec.metrics.0.resource.target.averageUtilization'), 70);
    const patched = await client.ask('PATCH', `${one}/web`, { spec: { targetCPUUtilizationPercentage: 50 } }, MERGE);
    assert.equal(patched.status, 200, patched.text);
    const again = await client.ask('GET', `${two}/web`);
    assert.equal(deep(again.body, 'spec.metrics.0.resource.target.averageUtilization'), 50);
    assert.equal(again.body.apiVersion, 'autoscaling/v2');
    const memory = {
      type: 'Resource',
      resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
    };
    const more = {
      metrics: [...objectsAt(again.body, 'spec', 'metrics'), memory],
      behavior: { scaleDown: { selectPolicy: 'Min' } },
    };
    assert.equal((await client.ask('PATCH', `${two}/web`, { spec: more }, MERGE)).status, 200);
    assert.equal((await client.ask('PATCH', `${one}/web`, { spec: { maxReplicas: 9 } }, MERGE)).status, 200);
    const kept = await client.ask('GET', `${two}/web`);
    assert.deepEqual(
      [at(kept.body, 'spec', 'metrics'), at(kept.body, 'spec', 'behavior'), at(kept.body, 'spec', 'maxReplicas')],
      [more.metrics, more.behavior, 9],
      'a writer of v1 loses nothing that only v2 has',
    );
  });

  it('a claim without a class gets the default one, and its binding shows', async () => {
    await using server = await startServer();
    const { client } = server;
    const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
    await client.ask('POST', `${STORAGE}/storageclasses`, {
      metadata: { name: 'fast', annotations },
      provisioner: 'example.com/disk',
    });
    const claims = `${CORE}/persistentvolumeclaims`;
    const spec = { accessModes: ['ReadWriteOnce'], resources: REQUEST };
    const { body } = await client.ask('POST', claims, { metadata: { name: 'data' }, spec });
    assert.equal(textAt(body, 'spec', 'storageClassName'), 'fast');
    assert.equal((await client.ask('PATCH', `${claims}/data`, { spec: { volumeName: 'v' } }, MERGE)).status, 200);
    const status = { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] };
    assert.equal((await client.ask('PATCH', `${claims}/data/status`, { status }, MERGE)).status, 200);
    const { body: table } = await client.ask('GET', claims, undefined, { headers: TABLE });
    assert.deepEqual(listAt(objectsAt(table, 'rows')[0], 'cells').slice(0, 6), [
      'data',
      'Bound',
      'v',
      '1Gi',
      'RWO',
      'fast',
    ]);
    const grown = (storage: string) =>
      client.ask('PATCH', `${claims}/data`, { spec: { resources: { requests: { storage } } } }, MERGE);
    assert.equal((await grown('2Gi')).status, 200);
    assert.deepEqual(causesOf((await grown('1Gi')).body), ['FieldValueForbidden spec.resources.requests.storage']);
    assert.equal((await client.ask('PATCH', `${claims}/data`, { spec: { volumeName: 'w' } }, MERGE)).status, 422);
  });

  it('a pod of an unknown RuntimeClass is refused, one of a known class has its overhead', async () => {
    await using server = await startServer();
    const { client } = server;
    const body = pod('p', { spec: { runtimeClassName: 'kata' } });
    const refused = await client.ask('POST', PODS, body);
    assert.equal(refused.status, 403);
    assert.match(textAt(refused.body, 'message'), /RuntimeClass "kata" not found/);
    const overhead = { podFixed: { cpu: '250m' } };
    await client.ask('POST', '/apis/node.k8s.io/v1/runtimeclasses', {
      metadata: { name: 'kata' },
      handler: 'kata',
      overhead,
    });
    assert.deepEqual(at((await client.ask('POST', PODS, body)).body, 'spec', 'overhead'), { cpu: '250m' });
  });

  it('a quota shows what of it is used once somebody counts', async () => {
    await using server = await startServer();
    const { client } = server;
    const quotas = `${CORE}/resourcequotas`;
    await client.ask('POST', quotas, { metadata: { name: 'q' }, spec: { hard: { pods: '10' } } });
    const status = { hard: { pods: '10', 'limits.cpu': '4', 'requests.cpu': '2' }, used: { pods: '3' } };
    await client.ask('PATCH', `${quotas}/q/status`, { status }, MERGE);
    const { body } = await client.ask('GET', quotas, undefined, { headers: TABLE });
    assert.deepEqual(listAt(objectsAt(body, 'rows')[0], 'cells').slice(1, 3), [
      'pods: 3/10, requests.cpu: 0/2',
      'limits.cpu: 0/4',
    ]);
  });

  it('a StatefulSet keeps templates of claims as whole claims', async () => {
    await using server = await startServer();
    const labels = { app: 'db' };
    const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: REQUEST } };
    const { body } = await server.client.ask('POST', '/apis/apps/v1/namespaces/default/statefulsets', {
      metadata: { name: 'db' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: CONTAINERS } },
        volumeClaimTemplates: [claim],
      },
    });
    const [kept] = objectsAt(body, 'spec', 'volumeClaimTemplates');
    assert.deepEqual(
      [kept?.apiVersion, kept?.kind, textAt(kept, 'spec', 'volumeMode'), textAt(kept, 'status', 'phase')],
      ['v1', 'PersistentVolumeClaim', 'Filesystem', 'Pending'],
    );
  });
});
