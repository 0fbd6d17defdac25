import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONFIG_MAPS, configMap, PODS, pod, startServer } from '#serve/api/testing/server.ts';
import { at, objectsAt, textAt } from '#spec/kinds/json.ts';

describe('create', () => {
  it('fills in what the server decides and what is missing', async () => {
    await using server = await startServer();
    const { status, body } = await server.client.ask('POST', PODS, pod('p'));
    assert.equal(status, 201);
    assert.match(textAt(body, 'metadata', 'uid'), /^[0-9a-f-]{36}$/);
    assert.match(textAt(body, 'metadata', 'creationTimestamp'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(textAt(body, 'metadata', 'namespace'), 'default');
    assert.deepEqual(body.status, { phase: 'Pending', qosClass: 'BestEffort' });
    assert.equal(textAt(body, 'spec', 'restartPolicy'), 'Always');
    assert.equal(textAt(objectsAt(body, 'spec', 'containers')[0], 'imagePullPolicy'), 'Always');
  });

  it('makes a name from generateName', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', CONFIG_MAPS, { metadata: { generateName: 'c-' } });
    assert.match(textAt(body, 'metadata', 'name'), /^c-[a-z0-9]{5}$/);
  });

  it('stores nothing with dryRun', async () => {
    await using server = await startServer();
    assert.equal((await server.client.ask('POST', `${PODS}?dryRun=All`, pod('p'))).status, 201);
    assert.equal((await server.client.ask('GET', `${PODS}/p`)).status, 404);
  });

  it('warns of unknown fields, or refuses them when asked to', async () => {
    await using server = await startServer();
    const object = pod('p', { spec: { colour: 'red', containers: [{ name: 'c', image: 'i', colour: 'blue' }] } });
    const strict = await server.client.ask('POST', `${PODS}?fieldValidation=Strict`, object);
    assert.equal(strict.status, 400);
    assert.match(textAt(strict.body, 'message'), /strict decoding error: .*unknown field "spec.colour"/);
    const warned = await server.client.ask('POST', PODS, object);
    assert.equal(warned.status, 201);
    assert.match(String(warned.headers.warning), /299 - "unknown field \\"spec.containers\[0\].colour\\""/);
    assert.equal(at(warned.body, 'spec', 'colour'), undefined);
    const ignored = await server.client.ask('POST', `${PODS}?fieldValidation=Ignore`, {
      ...object,
      metadata: { name: 'q' },
    });
    assert.equal(ignored.headers.warning, undefined);
  });

  it('tells of keys that stand twice, in JSON, YAML and patches', async () => {
    await using server = await startServer();
    const json = '{"metadata":{"name":"c"},"data":{"a":"1","a":"2"},"data":{"a":"3"}}';
    const yaml = 'metadata: {name: c}\ndata:\n  a: "1"\n  a: "3"\n';
    const YAML = { 'Content-Type': 'application/yaml' };
    for (const { raw, headers, says } of [
      { raw: json, headers: {}, says: ['duplicate field "data.a"', 'duplicate field "data"'] },
      { raw: yaml, headers: YAML, says: ['yaml: line 4: key "a" already set in map'] },
    ]) {
      const ask = (validation: string) =>
        server.client.ask('POST', `${CONFIG_MAPS}?fieldValidation=${validation}&dryRun=All`, undefined, {
          raw,
          headers,
        });
      const strict = await ask('Strict');
      assert.equal(strict.status, 400);
      assert.match(
        textAt(strict.body, 'message'),
        /ConfigMap in version "v1" cannot be handled as a ConfigMap: strict/,
      );
      for (const text of says) assert.ok(textAt(strict.body, 'message').includes(text), strict.text);
      const warned = await ask('Warn');
      assert.equal(at(warned.body, 'data', 'a'), '3', 'the last one counts');
      for (const text of says) assert.ok(String(warned.headers.warning).replaceAll('\\', '').includes(text));
      assert.equal((await ask('Ignore')).headers.warning, undefined);
    }
    await server.client.ask('POST', CONFIG_MAPS, configMap('c', {}));
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const patch = { raw: '{"data":{"x":"1","x":"2"}}', headers };
    const refused = await server.client.ask('PATCH', `${CONFIG_MAPS}/c?fieldValidation=Strict`, undefined, patch);
    assert.match(textAt(refused.body, 'message'), /duplicate field "data.x"/);
    assert.equal((await server.client.ask('PATCH', `${CONFIG_MAPS}/c`, undefined, patch)).status, 200);
  });

  it('takes YAML and gives YAML', async () => {
    await using server = await startServer();
    const headers = { 'Content-Type': 'application/yaml', Accept: 'application/yaml' };
    const raw = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: b\n';
    const { status, text } = await server.client.ask('POST', CONFIG_MAPS, undefined, { headers, raw });
    assert.equal(status, 201);
    assert.match(text, /^data:\n {2}a: b$/m);
  });
});

describe('update', () => {
  it('needs the newest resourceVersion', async () => {
    await using server = await startServer();
    const { body: first } = await server.client.ask('POST', CONFIG_MAPS, configMap('c', { a: '1' }));
    const second = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, { ...first, data: { a: '2' } });
    assert.equal(second.status, 200);
    const third = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, { ...first, data: { a: '3' } });
    assert.equal(third.status, 409);
    assert.match(textAt(third.body, 'message'), /the object has been modified/);
    const forced = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, configMap('c', { a: '4' }));
    assert.equal(forced.status, 200, 'without a resourceVersion it is not conditional');
  });

  it('writes no revision when nothing changes', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', CONFIG_MAPS, configMap('c', { a: '1' }));
    const again = await server.client.ask('PUT', `${CONFIG_MAPS}/c`, body);
    assert.equal(textAt(again.body, 'metadata', 'resourceVersion'), textAt(body, 'metadata', 'resourceVersion'));
  });

  it('leaves status to /status, and the rest to the object', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('POST', PODS, pod('p'));
    const both = { ...body, status: { phase: 'Running' }, spec: { ...pod('x'), nodeName: 'n' } };
    const status = await server.client.ask('PUT', `${PODS}/p/status`, { ...both, spec: body.spec ?? {} });
    assert.equal(textAt(status.body, 'status', 'phase'), 'Running');
    const labels = { metadata: { labels: { a: 'b' } }, status: { phase: 'Failed' } };
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const { body: main } = await server.client.ask('PATCH', `${PODS}/p`, labels, { headers });
    assert.equal(textAt(main, 'status', 'phase'), 'Running');
    assert.equal(textAt(main, 'metadata', 'labels', 'a'), 'b');
  });

  it('does not change what a pod may not change', async () => {
    await using server = await startServer();
    await server.client.ask('POST', PODS, pod('p'));
    const headers = { 'Content-Type': 'application/strategic-merge-patch+json' };
    const image = { spec: { containers: [{ name: 'c', image: 'other' }] } };
    assert.equal((await server.client.ask('PATCH', `${PODS}/p`, image, { headers })).status, 200);
    const command = { spec: { containers: [{ name: 'c', command: ['x'] }] } };
    const refused = await server.client.ask('PATCH', `${PODS}/p`, command, { headers });
    assert.equal(refused.status, 422);
    assert.match(textAt(refused.body, 'message'), /pod updates may not change fields other than/);
  });

  it('counts generations of the spec only', async () => {
    await using server = await startServer();
    const sets = '/apis/apps/v1/namespaces/default/daemonsets';
    const labels = { app: 'a' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const set = { metadata: { name: 'd' }, spec: { selector: { matchLabels: labels }, template } };
    const { body } = await server.client.ask('POST', sets, set);
    assert.equal(at(body, 'metadata', 'generation'), 1);
    const headers = { 'Content-Type': 'application/merge-patch+json' };
    const labelled = await server.client.ask('PATCH', `${sets}/d`, { metadata: { labels } }, { headers });
    assert.equal(at(labelled.body, 'metadata', 'generation'), 1);
    const changed = await server.client.ask('PATCH', `${sets}/d`, { spec: { minReadySeconds: 1 } }, { headers });
    assert.equal(at(changed.body, 'metadata', 'generation'), 2);
    const selector = { spec: { selector: { matchLabels: { app: 'b' } } } };
    assert.equal((await server.client.ask('PATCH', `${sets}/d`, selector, { headers })).status, 422);
  });
});
