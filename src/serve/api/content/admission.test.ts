/** Pods as Kubernetes' admission plugins leave them, and those that it turns away. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PODS, pod, startServer, type TestServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, listAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses';
const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };
const MIRROR = { annotations: { 'kubernetes.io/config.mirror': 'hash' } };

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server[Symbol.asyncDispose]());

async function made(name: string, spec: JsonObject): Promise<JsonObject> {
  const answer = await server.client.ask('POST', PODS, pod(name, { spec }));
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

async function refused(path: string, body: JsonObject, status: number, says: string): Promise<void> {
  const answer = await server.client.ask('POST', path, body);
  assert.equal(answer.status, status, answer.text);
  assert.ok(textAt(answer.body, 'message').includes(says), textAt(answer.body, 'message'));
}

const priorityClass = (name: string, more: JsonObject): JsonObject => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name },
  ...more,
});

describe('DefaultTolerationSeconds', () => {
  const own = (key: string, seconds: number) => `${key} Exists NoExecute ${seconds}`;
  const [NOT_READY, UNREACHABLE] = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
  const CASES: readonly (readonly [string, JsonObject[], readonly string[]])[] = [
    ['says nothing', [], [own(NOT_READY, 300), own(UNREACHABLE, 300)]],
    [
      'speaks of one trouble',
      [{ key: NOT_READY, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 }],
      [own(NOT_READY, 1), own(UNREACHABLE, 300)],
    ],
    [
      'speaks of other effects only',
      [{ key: UNREACHABLE, operator: 'Exists', effect: 'NoSchedule' }],
      [`${UNREACHABLE} Exists NoSchedule -`, own(NOT_READY, 300), own(UNREACHABLE, 300)],
    ],
    ['tolerates all', [{ operator: 'Exists' }], ['- Exists - -']],
  ];
  for (const [what, tolerations, expected] of CASES)
    it(`gives a pod that ${what} what it lacks`, async () => {
      const body = await made(what.replaceAll(' ', '-'), { tolerations });
      const shown = objectsAt(body, 'spec', 'tolerations').map((one) =>
        ['key', 'operator', 'effect', 'tolerationSeconds'].map((key) => String(one[key] ?? '-')).join(' '),
      );
      assert.deepEqual(shown, expected);
    });
});

describe('Priority', () => {
  const outcome = ({ spec }: JsonObject) =>
    ['priorityClassName', 'priority', 'preemptionPolicy'].map((key) => at(spec, key));

  it('takes the value and the policy of the class; system classes are there from the start', async () => {
    const calm = priorityClass('calm', { value: 7, preemptionPolicy: 'Never' });
    assert.equal((await server.client.ask('POST', CLASSES, calm)).status, 201);
    assert.deepEqual(outcome(await made('plain', {})), [undefined, 0, 'PreemptLowerPriority']);
    assert.deepEqual(outcome(await made('calm', { priorityClassName: 'calm' })), ['calm', 7, 'Never']);
    const critical = 'system-node-critical';
    assert.deepEqual(outcome(await made('critical', { priorityClassName: critical })), [
      critical,
      2_000_001_000,
      'PreemptLowerPriority',
    ]);
  });

  it('turns away what contradicts the class', async () => {
    const no = (spec: JsonObject, says: string) => refused(PODS, pod('no', { spec }), 403, says);
    await no({ priorityClassName: 'nobody' }, 'no PriorityClass with name nobody was found');
    await no({ priority: 5 }, 'the integer value of priority (5) must not be provided in pod spec');
    await no(
      { priorityClassName: 'calm', preemptionPolicy: 'PreemptLowerPriority' },
      'the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec',
    );
  });

  it('has one class for pods that name none', async () => {
    const usual = priorityClass('usual', { value: 50, globalDefault: true });
    assert.equal((await server.client.ask('POST', CLASSES, usual)).status, 201);
    assert.deepEqual(outcome(await made('unnamed', {})), ['usual', 50, 'PreemptLowerPriority']);
    const second = priorityClass('second', { value: 60, globalDefault: true });
    await refused(CLASSES, second, 403, 'PriorityClass usual is already marked as default');
    const patched = await server.client.ask('PATCH', `${CLASSES}/calm`, { globalDefault: true }, MERGE);
    assert.equal(patched.status, 422, patched.text);
    await server.client.ask('DELETE', `${CLASSES}/usual`);
    assert.deepEqual(outcome(await made('again', {})), [undefined, 0, 'PreemptLowerPriority']);
  });

  it('keeps the names and the values of the system for the system', async () => {
    const no = (name: string, more: JsonObject, says: string) => refused(CLASSES, priorityClass(name, more), 422, says);
    await no('system-mine', { value: 1 }, 'system-mine is not a known system priority class');
    await no('mine', { value: 1_000_000_001 }, 'maximum allowed value of a user defined priority is 1000000000');
    await no('mine', { value: 1, preemptionPolicy: 'Sometimes' }, 'preemptionPolicy: Unsupported value: "Sometimes"');
    const patched = await server.client.ask('PATCH', `${CLASSES}/calm`, { value: 8 }, MERGE);
    assert.match(textAt(patched.body, 'message'), /value: Forbidden: may not be changed in an update/);
  });
});

describe('ServiceAccount', () => {
  it('gives a mirror pod no account and no token, and turns away one that asks for any', async () => {
    const mirror = (name: string, spec: JsonObject) =>
      pod(name, { metadata: MIRROR, spec: { nodeName: 'n', ...spec } });
    const answer = await server.client.ask('POST', PODS, mirror('mirror', {}));
    assert.equal(answer.status, 201, answer.text);
    assert.equal(at(answer.body, 'spec', 'serviceAccountName'), undefined);
    assert.deepEqual(listAt(answer.body, 'spec', 'volumes'), []);
    const token = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } };
    const no = (spec: JsonObject, says: string) => refused(PODS, mirror('no', spec), 403, says);
    await no({ serviceAccountName: 'default' }, 'a mirror pod may not reference service accounts');
    await no({ volumes: [{ name: 's', secret: { secretName: 's' } }] }, 'a mirror pod may not reference secrets');
    await no({ volumes: [{ name: 't', ...token }] }, 'a mirror pod may not use ServiceAccountToken volume projections');
  });
});
