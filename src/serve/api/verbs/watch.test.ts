import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, configMap, PODS, pod, startServer } from '#serve/api/testing/server.ts';
import { at, type JsonObject, numberAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const MERGE = { headers: { 'Content-Type': 'application/merge-patch+json' } };
const TABLE = { headers: { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } };

function show(events: readonly JsonObject[]): string[] {
  return events.map((event) => `${textAt(event, 'type')} ${textAt(event, 'object', 'metadata', 'name')}`);
}

function count(number: number): (events: readonly JsonObject[]) => boolean {
  return (events) => events.length >= number;
}

function revisionOf(body: JsonObject): string {
  return textAt(body, 'metadata', 'resourceVersion');
}

describe('watch', () => {
  it('from a revision shows every change after it, with growing revisions', async () => {
    await using server = await startServer();
    const { body: list } = await server.client.ask('GET', CONFIG_MAPS);
    await server.client.ask('POST', CONFIG_MAPS, configMap('a', {}));
    const watching = server.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${revisionOf(list)}`, count(4));
    await server.client.ask('PATCH', `${CONFIG_MAPS}/a`, { data: { x: 'y' } }, MERGE);
    await server.client.ask('POST', CONFIG_MAPS, configMap('b', {}));
    await server.client.ask('DELETE', `${CONFIG_MAPS}/a`);
    const events = await watching;
    assert.deepEqual(show(events), ['ADDED a', 'MODIFIED a', 'ADDED b', 'DELETED a']);
    const revisions = events.map((event) => Number(textAt(event, 'object', 'metadata', 'resourceVersion')));
    assert.deepEqual(
      revisions,
      [...revisions].sort((a, b) => a - b),
    );
    assert.equal(new Set(revisions).size, 4);
  });

  it('without a revision begins with what there is', async () => {
    await using server = await startServer();
    for (const name of ['b', 'a']) await server.client.ask('POST', CONFIG_MAPS, configMap(name, {}));
    for (const query of ['watch=true', 'watch=1&resourceVersion=0']) {
      assert.deepEqual(show(await server.client.watch(`${CONFIG_MAPS}?${query}`, count(2))), ['ADDED a', 'ADDED b']);
    }
  });

  it('marks the end of the initial objects when asked to', async () => {
    await using server = await startServer();
    await server.client.ask('POST', CONFIG_MAPS, configMap('a', {}));
    const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const events = await server.client.watch(`${CONFIG_MAPS}?${query}`, count(2));
    assert.deepEqual(show(events), ['ADDED a', 'BOOKMARK ']);
    assert.equal(textAt(events[1], 'object', 'metadata', 'annotations', 'k8s.io/initial-events-end'), 'true');
    const refused = await server.client.ask('GET', `${CONFIG_MAPS}?watch=1&sendInitialEvents=true`);
    assert.equal(refused.status, 422);
  });

  it('marks no end where bookmarks are not wanted, and begins where it is told to', async () => {
    await using server = await startServer();
    const { client } = server;
    await client.ask('POST', CONFIG_MAPS, configMap('a', {}));
    const match = 'watch=1&resourceVersionMatch=NotOlderThan';
    const silent = await client.ask('GET', `${CONFIG_MAPS}?${match}&sendInitialEvents=true&timeoutSeconds=1`);
    assert.deepEqual(
      show(
        silent.text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ),
      ['ADDED a'],
    );
    const none = await client.ask('GET', `${CONFIG_MAPS}?${match}&sendInitialEvents=false&timeoutSeconds=1`);
    assert.equal(none.text, '');
    const later = await client.ask('GET', `${CONFIG_MAPS}?${match}&sendInitialEvents=true&resourceVersion=999999`);
    assert.deepEqual([later.status, later.body.reason], [504, 'Timeout']);
    const headers = { Accept: 'application/yaml' };
    assert.equal((await client.ask('GET', `${CONFIG_MAPS}?watch=1`, undefined, { headers })).status, 406);
  });

  it('as metadata alone shows that, also in bookmarks', async () => {
    await using server = await startServer();
    await server.client.ask('POST', CONFIG_MAPS, configMap('a', { key: 'the content' }));
    const headers = { Accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' };
    const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const events = await server.client.watch(`${CONFIG_MAPS}?${query}`, count(2), { headers });
    assert.deepEqual(
      events.map((event) => textAt(event, 'object', 'kind')),
      ['PartialObjectMetadata', 'PartialObjectMetadata'],
    );
    assert.equal(JSON.stringify(events).includes('the content'), false);
  });

  it('ends after its timeout, with a bookmark where those are wanted', async () => {
    await using server = await startServer();
    const { text } = await server.client.ask('GET', `${CONFIG_MAPS}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true`);
    const event: JsonObject = JSON.parse(text);
    assert.equal(event.type, 'BOOKMARK');
    assert.equal(textAt(event, 'object', 'kind'), 'ConfigMap');
    assert.ok(Number(textAt(event, 'object', 'metadata', 'resourceVersion')) > 0);
  });

  it('lets objects come and go as they begin and cease to match', async () => {
    await using server = await startServer();
    const { body: list } = await server.client.ask('GET', CONFIG_MAPS);
    const path = `${CONFIG_MAPS}?watch=1&labelSelector=app%3Dx&resourceVersion=${revisionOf(list)}`;
    const watching = server.client.watch(path, count(4));
    await server.client.ask('POST', CONFIG_MAPS, configMap('a', {}));
    for (const app of ['x', 'x2', 'x']) {
      await server.client.ask('PATCH', `${CONFIG_MAPS}/a`, { metadata: { labels: { app } } }, MERGE);
    }
    await server.client.ask('DELETE', `${CONFIG_MAPS}/a`);
    assert.deepEqual(show(await watching), ['ADDED a', 'DELETED a', 'ADDED a', 'DELETED a']);
  });

  it('of one field value sees a pod arrive on its node', async () => {
    await using server = await startServer();
    const watching = server.client.watch('/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dnode1', count(1));
    await server.client.ask('POST', PODS, pod('p'));
    await server.client.ask('POST', `${PODS}/p/binding`, { target: { name: 'node1' } });
    assert.deepEqual(show(await watching), ['ADDED p']);
  });

  it('from a revision that is compacted, or of another store, ends with 410', async () => {
    await using server = await startServer(undefined, false, { history: { events: 5, bytes: 1e6 } });
    const { body: list } = await server.client.ask('GET', `${CONFIG_MAPS}?limit=1`);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
      await server.client.ask('POST', CONFIG_MAPS, configMap(name, {}));
    for (const revision of [revisionOf(list), '999999']) {
      const events = await server.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${revision}`, count(1));
      assert.equal(events[0]?.type, 'ERROR');
      assert.equal(numberAt(events[0], 'object', 'code'), 410);
      assert.equal(textAt(events[0], 'object', 'reason'), 'Expired');
    }
    const exact = await server.client.ask(
      'GET',
      `${CONFIG_MAPS}?resourceVersion=${revisionOf(list)}&resourceVersionMatch=Exact`,
    );
    assert.equal(exact.status, 410);
    const future = await server.client.ask('GET', `${CONFIG_MAPS}?resourceVersion=999999`);
    assert.equal(future.status, 504);
    assert.equal(objectsAt(future.body, 'details', 'causes')[0]?.reason, 'ResourceVersionTooLarge');
  });

  it('goes on after a restart of the server where it was', async () => {
    await using server = await startServer(undefined, true);
    const { body: list } = await server.client.ask('GET', CONFIG_MAPS);
    await server.client.ask('POST', CONFIG_MAPS, configMap('a', {}));
    await server.client.ask('DELETE', `${CONFIG_MAPS}/a`);
    await using again = await server.restart();
    const events = await again.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${revisionOf(list)}`, count(2));
    assert.deepEqual(show(events), ['ADDED a', 'DELETED a']);
  });

  it('as a table names the columns once', async () => {
    await using server = await startServer();
    for (const name of ['a', 'b']) await server.client.ask('POST', PODS, pod(name));
    const events = await server.client.watch(`${PODS}?watch=1`, count(2), TABLE);
    assert.deepEqual(
      events.map((event) => objectsAt(event, 'object', 'columnDefinitions').length),
      [9, 0],
    );
    // The age is whatever it was when the row was made.
    const rows = objectsAt(events[1], 'object', 'rows').map((row) => JSON.stringify(at(row, 'cells')));
    assert.equal(rows.length, 1);
    assert.match(rows[0] ?? '', /^\["b","0\/1","Pending","0","\d+s","<none>","<none>","<none>","<none>"\]$/);
  });
});
