import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, configMap, NAMESPACES, names, PODS, pod, startServer, TABLE } from '#serve/api/testing/server.ts';
import { at, objectsAt, textAt } from '#spec/kinds/json.ts';

describe('list', () => {
  it('comes in pages that show one revision', async () => {
    await using server = await startServer();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await server.client.ask('POST', CONFIG_MAPS, configMap(name, {}));
    const first = await server.client.ask('GET', `${CONFIG_MAPS}?limit=2`);
    assert.deepEqual(names(first.body), ['a', 'b']);
    assert.equal(at(first.body, 'metadata', 'remainingItemCount'), 3);
    await server.client.ask('DELETE', `${CONFIG_MAPS}/c`);
    await server.client.ask('POST', CONFIG_MAPS, configMap('cc', {}));
    const token = encodeURIComponent(textAt(first.body, 'metadata', 'continue'));
    const second = await server.client.ask('GET', `${CONFIG_MAPS}?limit=3&continue=${token}`);
    assert.deepEqual(names(second.body), ['c', 'd', 'e'], 'as it was when the first page was read');
    assert.equal(textAt(second.body, 'metadata', 'resourceVersion'), textAt(first.body, 'metadata', 'resourceVersion'));
    assert.equal(at(second.body, 'metadata', 'continue'), undefined);
  });

  it('after a compaction says that a page is gone, and lets a client go on with the objects of now', async () => {
    await using server = await startServer(undefined, false, { history: { events: 2, bytes: 1 << 20 } });
    const { client } = server;
    for (const name of ['a', 'b', 'c']) await client.ask('POST', CONFIG_MAPS, configMap(name, {}));
    const first = await client.ask('GET', `${CONFIG_MAPS}?limit=1`);
    const token = encodeURIComponent(textAt(first.body, 'metadata', 'continue'));
    for (const name of ['d', 'e', 'f', 'g']) await client.ask('POST', CONFIG_MAPS, configMap(name, {}));
    const gone = await client.ask('GET', `${CONFIG_MAPS}?limit=1&continue=${token}`);
    assert.deepEqual([gone.status, gone.body.reason], [410, 'Expired']);
    const anew = encodeURIComponent(textAt(gone.body, 'metadata', 'continue'));
    const rest = await client.ask('GET', `${CONFIG_MAPS}?continue=${anew}`);
    assert.deepEqual(names(rest.body), ['b', 'c', 'd', 'e', 'f', 'g']);
  });

  it('shows a revision exactly, or one that is not older', async () => {
    await using server = await startServer();
    const { client } = server;
    await client.ask('POST', CONFIG_MAPS, configMap('a', {}));
    const version = textAt((await client.ask('GET', CONFIG_MAPS)).body, 'metadata', 'resourceVersion');
    await client.ask('POST', CONFIG_MAPS, configMap('b', {}));
    for (const [query, shown] of [
      ['resourceVersionMatch=Exact', ['a']],
      ['limit=5', ['a']],
      ['resourceVersionMatch=NotOlderThan', ['a', 'b']],
      ['resourceVersionMatch=NotOlderThan&limit=5', ['a', 'b']],
      ['', ['a', 'b']],
    ] as const) {
      const { body } = await client.ask('GET', `${CONFIG_MAPS}?resourceVersion=${version}&${query}`);
      assert.deepEqual(names(body), shown, query);
      assert.equal(textAt(body, 'metadata', 'resourceVersion') === version, shown.length === 1, query);
    }
  });

  it('narrows by labels, fields and namespace', async () => {
    await using server = await startServer();
    await server.client.ask('POST', NAMESPACES, { metadata: { name: 'other' } });
    await server.client.ask('POST', CONFIG_MAPS, configMap('a', {}, { labels: { app: 'x' } }));
    await server.client.ask('POST', CONFIG_MAPS, configMap('b', {}, { labels: { app: 'y' } }));
    await server.client.ask(
      'POST',
      '/api/v1/namespaces/other/configmaps',
      configMap('c', {}, { labels: { app: 'x' } }),
    );
    assert.deepEqual(names((await server.client.ask('GET', `${CONFIG_MAPS}?labelSelector=app%3Dx`)).body), ['a']);
    assert.deepEqual(names((await server.client.ask('GET', '/api/v1/configmaps?labelSelector=app%3Dx')).body), [
      'a',
      'c',
    ]);
    const field = encodeURIComponent('metadata.namespace!=other');
    assert.deepEqual(names((await server.client.ask('GET', `/api/v1/configmaps?fieldSelector=${field}`)).body), [
      'a',
      'b',
    ]);
  });

  it('prints as a table, with wide columns marked', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    const { body } = await server.client.ask('GET', PODS, undefined, { headers: TABLE });
    assert.equal(body.kind, 'Table');
    const columns = objectsAt(body, 'columnDefinitions').map((one) => `${textAt(one, 'name')}:${String(one.priority)}`);
    assert.deepEqual(columns, [
      'Name:0',
      'Ready:0',
      'Status:0',
      'Restarts:0',
      'Age:0',
      'IP:1',
      'Node:1',
      'Nominated Node:1',
      'Readiness Gates:1',
    ]);
    const [row] = objectsAt(body, 'rows');
    assert.deepEqual(row?.cells, ['p', '0/1', 'Pending', '0', '0s', '<none>', '<none>', '<none>', '<none>']);
    assert.equal(textAt(row, 'object', 'kind'), 'PartialObjectMetadata');
  });

  it('gives metadata alone when that is asked for', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    const headers = { Accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };
    const { body } = await server.client.ask('GET', PODS, undefined, { headers });
    assert.equal(body.kind, 'PartialObjectMetadataList');
    assert.deepEqual(Object.keys(objectsAt(body, 'items')[0] ?? {}), ['kind', 'apiVersion', 'metadata']);
  });

  it('answers 406 to a client that reads protobuf only, and JSON to one that would also read that', async () => {
    await using server = await startServer();
    const only = { Accept: 'application/vnd.kubernetes.protobuf' };
    assert.equal((await server.client.ask('GET', PODS, undefined, { headers: only })).status, 406);
    const both = { Accept: 'application/vnd.kubernetes.protobuf, application/json' };
    assert.equal((await server.client.ask('GET', PODS, undefined, { headers: both })).status, 200);
  });
});
