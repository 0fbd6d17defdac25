import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { describe, it } from 'node:test';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { names, PODS, startServer, TABLE } from '#serve/api/testing/server.ts';
import { at, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';
import { KINDS } from '#spec/kinds/table.ts';

describe('authentication', () => {
  it('answers 401 to nobody, whatever is asked, before the body is looked at', async () => {
    await using server = await startServer();
    for (const path of ['/api', '/api/v1/pods', '/nonsense', '/openapi/v3']) {
      assert.equal((await server.client.ask('GET', path, undefined, { token: '' })).status, 401, path);
    }
    const answer = await server.client.ask('POST', PODS, undefined, { token: '', raw: '{' });
    assert.equal(answer.status, 401);
    assert.equal(answer.body.reason, 'Unauthorized');
  });

  it('refuses tokens of another cluster and broken ones', async () => {
    await using server = await startServer();
    await using other = await startServer();
    const { TokenIssuer } = await import('#serve/api/pki/tokens.ts');
    const foreign = new TokenIssuer(other.dataDir).issue({ name: 'x', groups: [] }, Date.now());
    const past = new TokenIssuer(server.dataDir).issue({ name: 'x', groups: [] }, Date.now(), { expires: 1 });
    const [header, payload] = foreign.split('.');
    for (const token of [foreign, past, 'a.b.c', 'nothing', `${header}.${payload}.`, '..']) {
      assert.equal((await server.client.ask('GET', '/api', undefined, { token })).status, 401, token);
    }
  });

  it('takes client certificates of its own CA only', async () => {
    await using server = await startServer();
    await using other = await startServer();
    const { makeClientCertificate } = await import('#serve/api/pki/certificates.ts');
    const { readCa } = await import('#serve/api/pki/cluster.ts');
    const ask = async (dataDir: string, name: string): Promise<JsonObject> => {
      const pair = await makeClientCertificate(readCa(dataDir), { commonName: name, organizations: ['a', 'b'] });
      const agent = new Agent({ ca: readPkiFile(server.dataDir, 'ca.crt'), cert: pair.certificate, key: pair.key });
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
      const call = request({
        host: '127.0.0.1',
        port: server.port,
        path,
        method: 'POST',
        agent,
        headers: { 'Content-Length': 2 },
      });
      call.end('{}');
      const [answer] = (await once(call, 'response')) as [IncomingMessage];
      const text = Buffer.concat(await answer.toArray()).toString();
      agent.destroy();
      return JSON.parse(text);
    };
    const own = await ask(server.dataDir, 'jane');
    assert.equal(textAt(own, 'status', 'userInfo', 'username'), 'jane');
    assert.deepEqual(at(own, 'status', 'userInfo', 'groups'), ['a', 'b', 'system:authenticated']);
    assert.equal((await ask(other.dataDir, 'jane')).code, 401);
  });

  it('shows health and version to everybody', async () => {
    await using server = await startServer();
    for (const path of ['/healthz', '/livez', '/readyz']) {
      assert.equal((await server.client.ask('GET', path, undefined, { token: '' })).text, 'ok');
    }
    const { body } = await server.client.ask('GET', '/version', undefined, { token: '' });
    assert.equal(body.gitVersion, 'v1.32.0+polder');
  });
});

describe('discovery', () => {
  it('names every kind in both forms', async () => {
    await using server = await startServer();
    const { body } = await server.client.ask('GET', '/api/v1');
    const found = objectsAt(body, 'resources').map((one) => textAt(one, 'name'));
    for (const name of ['pods', 'pods/exec', 'pods/status', 'nodes', 'services', 'events'])
      assert.ok(found.includes(name), name);
    const headers = { Accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json' };
    const { body: aggregated, headers: sent } = await server.client.ask('GET', '/apis', undefined, { headers });
    assert.match(String(sent['content-type']), /as=APIGroupDiscoveryList/);
    const groups = new Set(KINDS.map((kind) => kind.group).filter((group) => group !== ''));
    assert.deepEqual(
      objectsAt(aggregated, 'items').map((one) => textAt(one, 'metadata', 'name')),
      [...groups],
    );
  });

  it('has an OpenAPI document that says how lists merge', async () => {
    await using server = await startServer();
    const { body: index } = await server.client.ask('GET', '/openapi/v3');
    const { body } = await server.client.ask('GET', textAt(index, 'paths', 'api/v1', 'serverRelativeURL'));
    const schema = at(body, 'components', 'schemas', 'io.k8s.api.v1.PodSpec', 'properties', 'containers');
    assert.equal(textAt(schema, 'x-kubernetes-patch-merge-key'), 'name');
  });
});
describe('events', () => {
  it('are the same in both groups', async () => {
    await using server = await startServer();
    const event = {
      metadata: { name: 'e' },
      eventTime: '2030-01-01T00:00:00.000000Z',
      reason: 'Started',
      type: 'Normal',
      action: 'Start',
      note: 'it began',
      reportingController: 'kubelet',
      reportingInstance: 'node1',
      regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
    };
    const newer = '/apis/events.k8s.io/v1/namespaces/default/events';
    const made = await server.client.ask('POST', newer, event);
    assert.equal(made.status, 201);
    assert.equal(textAt(made.body, 'note'), 'it began');
    const { body } = await server.client.ask('GET', '/api/v1/namespaces/default/events/e');
    assert.deepEqual([body.apiVersion, body.message, textAt(body, 'involvedObject', 'name')], ['v1', 'it began', 'p']);
    const selector = encodeURIComponent('regarding.name=p');
    const list = await server.client.ask('GET', `${newer}?fieldSelector=${selector}`);
    assert.deepEqual(
      objectsAt(list.body, 'items').map((one) => [one.apiVersion, one.reportingController]),
      [['events.k8s.io/v1', 'kubelet']],
    );
    const table = await server.client.ask('GET', newer, undefined, { headers: TABLE });
    assert.equal(Array.isArray(objectsAt(table.body, 'rows')[0]?.cells), true);
    assert.equal((await server.client.ask('DELETE', `${newer}/e`)).status, 200);
    assert.deepEqual(names((await server.client.ask('GET', '/api/v1/events')).body), []);
  });
});
