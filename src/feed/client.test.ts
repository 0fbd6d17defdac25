import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ApiError, ApiUnreachable, isAlreadyExists, isConflict, isGone, isNotFound } from '#feed/api-error.ts';
import { ApiClient, pathOf, type WatchEvent } from '#feed/client.ts';
import { DAEMON_SETS, NODES, PODS, type Pod } from '#spec/k8s.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A real HTTP server on a port of the kernel's choice, and a client of it. */
async function serving(handler: Handler): Promise<{ client: ApiClient; server: Server } & AsyncDisposable> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    handler(request, response, Buffer.concat(chunks).toString());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new ApiClient({ server: `http://127.0.0.1:${port}`, token: 'secret' }, { timeoutMs: 2_000 });
  return {
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const answer = (response: ServerResponse, code: number, body: unknown) =>
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));

const pod = (name: string, resourceVersion: string) => ({ metadata: { namespace: 'default', name, resourceVersion } });

async function collect(events: AsyncIterable<WatchEvent<Pod>>): Promise<{ events: WatchEvent<Pod>[]; error: unknown }> {
  const seen: WatchEvent<Pod>[] = [];
  try {
    for await (const event of events) seen.push(event);
    return { events: seen, error: undefined };
  } catch (error) {
    return { events: seen, error };
  }
}

test('pathOf names core and group resources, namespaced or not', () => {
  assert.equal(pathOf(NODES, { name: 'node1' }, 'status'), '/api/v1/nodes/node1/status');
  assert.equal(pathOf(PODS), '/api/v1/pods');
  assert.equal(
    pathOf(DAEMON_SETS, { namespace: 'kube-system', name: 'a b' }),
    '/apis/apps/v1/namespaces/kube-system/daemonsets/a%20b',
  );
});

test('requests carry method, path, query, token, content type and body', async () => {
  const seen: string[] = [];
  await using api = await serving((request, response, body) => {
    seen.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? '-'} ${body}`);
    assert.equal(request.headers.authorization, 'Bearer secret');
    answer(response, 200, { kind: 'Pod', metadata: { name: 'web' }, items: [] });
  });
  const key = { namespace: 'default', name: 'web' };
  await api.client.get(PODS, key);
  await api.client.list(PODS, { namespace: 'default', labelSelector: 'app=web', limit: 5 });
  await api.client.patch(PODS, key, { a: 1 }, { type: 'strategic', subresource: 'status' });
  await api.client.delete(PODS, key, { gracePeriodSeconds: 0, uid: 'u' });
  assert.deepEqual(seen, [
    'GET /api/v1/namespaces/default/pods/web - ',
    'GET /api/v1/namespaces/default/pods?labelSelector=app%3Dweb&limit=5 - ',
    'PATCH /api/v1/namespaces/default/pods/web/status application/strategic-merge-patch+json {"a":1}',
    'DELETE /api/v1/namespaces/default/pods/web application/json ' +
      '{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"preconditions":{"uid":"u"}}',
  ]);
});

test('a refusal is an ApiError with the server’s Status', async () => {
  const status = { kind: 'Status', code: 409, reason: 'AlreadyExists', message: 'pods "web" already exists' };
  await using api = await serving((_, response) => answer(response, 409, status));
  const error = await api.client.get(PODS, { namespace: 'default', name: 'web' }).catch((e: unknown) => e);
  assert.ok(error instanceof ApiError);
  assert.equal(error.message, 'GET /api/v1/namespaces/default/pods/web: pods "web" already exists');
  assert.ok(isAlreadyExists(error) && !isConflict(error) && !isNotFound(error));
});

test('a refusal that is no Status keeps the code and the text', async () => {
  await using api = await serving((_, response) => response.writeHead(502).end('bad gateway'));
  const error = await api.client.list(PODS).catch((e: unknown) => e);
  assert.ok(error instanceof ApiError && error.code === 502);
  assert.match(error.message, /HTTP 502: bad gateway/);
});

test('find gives undefined for what is not there, and throws the rest', async () => {
  let code = 404;
  await using api = await serving((_, response) => answer(response, code, { kind: 'Status', code }));
  assert.equal(await api.client.find(PODS, { namespace: 'default', name: 'web' }), undefined);
  code = 403;
  await assert.rejects(api.client.find(PODS, { namespace: 'default', name: 'web' }), ApiError);
});

test('a server that is not there, hangs up or cuts its answer off is unreachable', async () => {
  await using api = await serving((request, response) => {
    if (request.url?.includes('cut')) response.writeHead(200, { 'content-length': '100' }).write('{"kind"');
    setImmediate(() => request.socket.destroy());
  });
  await assert.rejects(api.client.request('GET', '/hangup'), ApiUnreachable);
  await assert.rejects(api.client.request('GET', '/cut'), ApiUnreachable);
  using gone = new ApiClient({ server: 'http://127.0.0.1:1' });
  await assert.rejects(
    gone.list(PODS),
    (error) => error instanceof ApiUnreachable && /ECONNREFUSED/.test(error.message),
  );
});

test('a connection that the server closed while idle is replaced without the caller noticing', async () => {
  let requests = 0;
  await using api = await serving((request, response) => {
    requests++;
    // The second request arrives on the kept connection and is reset, as when it crosses the server's idle close.
    if (requests === 2) request.socket.resetAndDestroy();
    else answer(response, 200, { items: [], metadata: {} });
  });
  await api.client.list(PODS);
  await api.client.list(PODS);
  assert.equal(requests, 3);
});

test('watch yields events and bookmarks, also from lines split anywhere', async () => {
  const lines = [
    { type: 'ADDED', object: pod('ä', '1') },
    { type: 'MODIFIED', object: pod('ä', '2') },
    { type: 'BOOKMARK', object: { kind: 'Pod', metadata: { resourceVersion: '7' } } },
    { type: 'DELETED', object: pod('ä', '8') },
  ].map((line) => `${JSON.stringify(line)}\n`);
  await using api = await serving((request, response) => {
    assert.match(request.url ?? '', /watch=true&allowWatchBookmarks=true&resourceVersion=0/);
    for (const byte of Buffer.from(lines.join(''))) response.write(Buffer.from([byte]));
    response.end();
  });
  const { events, error } = await collect(api.client.watch(PODS, { resourceVersion: '0' }));
  assert.equal(error, undefined);
  assert.deepEqual(
    events.map((e) => (e.type === 'BOOKMARK' ? `B${e.resourceVersion}` : `${e.type}${e.object.metadata.name}`)),
    ['ADDEDä', 'MODIFIEDä', 'B7', 'DELETEDä'],
  );
});

test('watch throws 410 whether it is the answer or an event', async () => {
  const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
  await using api = await serving((request, response) => {
    if (request.url?.includes('resourceVersion=1')) answer(response, 410, gone);
    else response.end(`${JSON.stringify({ type: 'ERROR', object: gone })}\n`);
  });
  for (const resourceVersion of ['1', '2']) {
    const { error } = await collect(api.client.watch(PODS, { resourceVersion }));
    assert.ok(isGone(error), String(error));
  }
});

test('watch throws when the line is cut off or the connection drops, after what came whole', async () => {
  const whole = `${JSON.stringify({ type: 'ADDED', object: pod('a', '1') })}\n`;
  await using api = await serving((request, response) => {
    response.write(`${whole}{"type":"ADD`);
    if (request.url?.includes('resourceVersion=1')) response.end();
    else setTimeout(() => request.socket.destroy(), 20);
  });
  for (const resourceVersion of ['1', '2']) {
    const { events, error } = await collect(api.client.watch(PODS, { resourceVersion }));
    assert.equal(events.length, 1);
    assert.ok(error instanceof ApiUnreachable, String(error));
  }
});

test('watch returns quietly when its signal ends it, before and after the first event', async () => {
  await using api = await serving((_, response) => {
    response.write(`${JSON.stringify({ type: 'ADDED', object: pod('a', '1') })}\n`);
  });
  const stop = new AbortController();
  for await (const event of api.client.watch(PODS, { signal: stop.signal })) {
    assert.equal(event.type, 'ADDED');
    stop.abort();
  }
  const { events, error } = await collect(api.client.watch(PODS, { signal: stop.signal }));
  assert.deepEqual([events, error], [[], undefined]);
});
