import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startServer, TABLE } from '#serve/api/testing/server.ts';
import { at, type Json, type JsonObject, listAt, numberAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const APPS = '/apis/apps/v1/namespaces/default';
const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };

function workload(name: string, spec: JsonObject = {}): JsonObject {
  const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'busybox' }] } };
  return { metadata: { name }, spec: { selector: { matchLabels: { app: name } }, template, ...spec } };
}

const messages = (body: JsonObject) => objectsAt(body, 'details', 'causes').map((one) => textAt(one, 'field'));

describe('scale', () => {
  for (const plural of ['deployments', 'replicasets', 'statefulsets']) {
    it(`of ${plural} is read, patched and written, and counts as a change of the spec`, async () => {
      await using server = await startServer();
      const { client } = server;
      const made = await client.ask('POST', `${APPS}/${plural}`, workload('web', { replicas: 2 }));
      assert.equal(made.status, 201, made.text);
      const read = await client.ask('GET', `${APPS}/${plural}/web/scale`);
      assert.equal(textAt(read.body, 'kind'), 'Scale');
      assert.equal(textAt(read.body, 'status', 'selector'), 'app=web');
      const table = await client.ask('GET', `${APPS}/${plural}/web/scale`, undefined, { headers: TABLE });
      const shown = objectsAt(table.body, 'columnDefinitions').map((one) => one.name);
      assert.deepEqual(shown, ['Name', 'Desired', 'Available', 'Age']);
      assert.deepEqual(listAt(objectsAt(table.body, 'rows')[0], 'cells').slice(0, 3), ['web', 2, 0]);
      const patched = await client.ask('PATCH', `${APPS}/${plural}/web/scale`, { spec: { replicas: 5 } }, MERGE);
      assert.equal(numberAt(patched.body, 'spec', 'replicas'), 5);
      const body: Json = { ...patched.body, spec: { replicas: 0 } };
      assert.equal((await client.ask('PUT', `${APPS}/${plural}/web/scale`, body)).status, 200);
      assert.equal((await client.ask('PUT', `${APPS}/${plural}/web/scale`, body)).status, 409);
      const { body: after } = await client.ask('GET', `${APPS}/${plural}/web`);
      assert.deepEqual([at(after, 'spec', 'replicas'), at(after, 'metadata', 'generation')], [0, 3]);
      const wrong = await client.ask('PATCH', `${APPS}/${plural}/web/scale`, { spec: { replicas: -1 } }, MERGE);
      assert.deepEqual([wrong.status, messages(wrong.body)], [422, ['spec.replicas']]);
    });
  }

  it('is not there for what has no replicas', async () => {
    await using server = await startServer();
    assert.equal((await server.client.ask('GET', `${APPS}/daemonsets/x/scale`)).status, 404);
  });
});

describe('workloads', () => {
  it('are refused with the path of what is wrong', async () => {
    await using server = await startServer();
    const rolling = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } };
    const cases: readonly (readonly [string, JsonObject, string[]])[] = [
      ['deployments', workload('a', { replicas: -1 }), ['spec.replicas']],
      ['deployments', workload('a', { strategy: rolling }), ['spec.strategy.rollingUpdate.maxUnavailable']],
      ['deployments', workload('a', { strategy: { type: 'Fast' } }), ['spec.strategy.type']],
      [
        'deployments',
        workload('a', { progressDeadlineSeconds: 5, minReadySeconds: 5 }),
        ['spec.progressDeadlineSeconds'],
      ],
      ['replicasets', workload('a', { selector: { matchLabels: { b: 'c' } } }), ['spec.template.metadata.labels']],
      ['statefulsets', workload('a', { podManagementPolicy: 'Any' }), ['spec.podManagementPolicy']],
    ];
    for (const [plural, body, fields] of cases) {
      const answer = await server.client.ask('POST', `${APPS}/${plural}`, body);
      assert.deepEqual([answer.status, messages(answer.body)], [422, fields], answer.text);
    }
  });

  it('print the columns that people know', async () => {
    await using server = await startServer();
    for (const [plural, words] of [
      ['deployments', ['Name', 'Ready', 'Up-to-date', 'Available', 'Age']],
      ['replicasets', ['Name', 'Desired', 'Current', 'Ready', 'Age']],
      ['statefulsets', ['Name', 'Ready', 'Age']],
    ] as const) {
      await server.client.ask('POST', `${APPS}/${plural}`, workload('web', { replicas: 3 }));
      const { body } = await server.client.ask('GET', `${APPS}/${plural}`, undefined, { headers: TABLE });
      const shown = objectsAt(body, 'columnDefinitions').filter((one) => one.priority === 0);
      assert.deepEqual(
        shown.map((one) => one.name),
        words,
      );
      assert.equal(listAt(objectsAt(body, 'rows')[0], 'cells')[1], plural === 'replicasets' ? 3 : '0/3');
    }
  });
});

describe('a deletion', () => {
  it('in the foreground, or that orphans, waits for the garbage collector', async () => {
    await using server = await startServer();
    const { client } = server;
    for (const [policy, finalizer] of [
      ['Foreground', 'foregroundDeletion'],
      ['Orphan', 'orphan'],
    ] as const) {
      await client.ask('POST', `${APPS}/deployments`, workload('web'));
      await client.ask('DELETE', `${APPS}/deployments/web`, { propagationPolicy: policy });
      const { body } = await client.ask('GET', `${APPS}/deployments/web`);
      assert.deepEqual(listAt(body, 'metadata', 'finalizers'), [finalizer]);
      await client.ask('PATCH', `${APPS}/deployments/web`, { metadata: { finalizers: null } }, MERGE);
      assert.equal((await client.ask('GET', `${APPS}/deployments/web`)).status, 404);
    }
  });
});
