import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { request } from 'node:https';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { TokenIssuer } from '#serve/api/pki/tokens.ts';
import { PODS, pod, startServer, type TestServer } from '#serve/api/testing/server.ts';
import { textAt } from '#spec/kinds/json.ts';

/** A kubelet that says what it was asked, and answers upgraded connections by echo. */
async function startKubelet(server: TestServer, node: string): Promise<Server & AsyncDisposable> {
  const kubelet = createServer((request, response) => response.end(`${request.method} ${request.url}\n`));
  kubelet.on('upgrade', (incoming, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
    socket.write(`${incoming.url} auth=${incoming.headers.authorization ?? 'none'}\n`);
    socket.on('data', (chunk) => socket.write(chunk));
    // The client has ended its half; ours still carries the last word.
    socket.on('end', () => socket.end('goodbye\n'));
  });
  kubelet.listen(join(server.dataDir, `${node}.sock`));
  await once(kubelet, 'listening');
  return Object.assign(kubelet, {
    [Symbol.asyncDispose]: async () => {
      kubelet.closeAllConnections();
      kubelet.close();
    },
  });
}

interface Upgraded {
  readonly socket: Socket;
  readonly head: Buffer;
}

function upgrade(
  server: TestServer,
  path: string,
  authorized = true,
): Promise<Upgraded | { readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<
    Upgraded | { readonly status: number; readonly text: string }
  >();
  const token = new TokenIssuer(server.dataDir).issue({ name: 'admin', groups: ['system:masters'] }, Date.now());
  const call = request({
    host: '127.0.0.1',
    port: server.port,
    ca: readPkiFile(server.dataDir, 'ca.crt'),
    path,
    method: 'POST',
    headers: { Connection: 'Upgrade', Upgrade: 'echo', ...(authorized ? { Authorization: `Bearer ${token}` } : {}) },
    agent: false,
  });
  call.on('upgrade', (_, socket, head) => resolve({ socket, head }));
  call.on('response', async (response) => {
    resolve({ status: response.statusCode ?? 0, text: Buffer.concat(await response.toArray()).toString() });
  });
  call.on('error', reject);
  call.end();
  return promise;
}

async function withPod(server: TestServer): Promise<void> {
  await server.client.ask('POST', PODS, pod('p', { spec: { nodeName: 'node1' } }));
}

describe('streams of pods', () => {
  it('logs come from the kubelet of the pod', async () => {
    await using server = await startServer();
    await using _ = await startKubelet(server, 'node1');
    await withPod(server);
    const { status, text } = await server.client.ask('GET', `${PODS}/p/log?follow=true&tailLines=3`);
    assert.equal(status, 200);
    assert.equal(text, 'GET /containerLogs/default/p/c?follow=true&tailLines=3\n');
  });

  it('exec joins the client to the kubelet, without its credentials, until both have ended', async () => {
    await using server = await startServer();
    await using _ = await startKubelet(server, 'node1');
    await withPod(server);
    const upgraded = await upgrade(server, `${PODS}/p/exec?command=ls&command=-l&stdin=true`);
    assert.ok('socket' in upgraded);
    upgraded.socket.end('hello\n');
    const text = upgraded.head.toString() + Buffer.concat(await upgraded.socket.toArray()).toString();
    assert.equal(text, '/exec/default/p/c?command=ls&command=-l&stdin=true auth=none\nhello\ngoodbye\n');
  });

  it('port-forward needs no container', async () => {
    await using server = await startServer();
    await using _ = await startKubelet(server, 'node1');
    await withPod(server);
    const upgraded = await upgrade(server, `${PODS}/p/portforward`);
    assert.ok('socket' in upgraded);
    upgraded.socket.end();
    const text = upgraded.head.toString() + Buffer.concat(await upgraded.socket.toArray()).toString();
    assert.match(text, /^\/portForward\/default\/p auth=none/);
  });

  it('answer with a Status when they cannot begin', async () => {
    await using server = await startServer();
    await withPod(server);
    await server.client.ask('POST', PODS, pod('unscheduled'));
    const ROWS = [
      [`${PODS}/p/exec`, 500, /error dialing backend/],
      [`${PODS}/p/exec?container=other`, 400, /container other is not valid for pod p/],
      [`${PODS}/unscheduled/exec`, 400, /does not have a host assigned/],
      [`${PODS}/nobody/exec`, 404, /pods "nobody" not found/],
      ['/api/v1/namespaces/default/configmaps/c/exec', 404, /could not find/],
    ] as const;
    for (const [path, status, says] of ROWS) {
      const answer = await upgrade(server, path);
      assert.ok('status' in answer);
      assert.equal(answer.status, status, path);
      assert.match(textAt(JSON.parse(answer.text), 'message'), says);
    }
    const anonymous = await upgrade(server, `${PODS}/p/exec`, false);
    assert.ok('status' in anonymous && anonymous.status === 401);
    const log = await server.client.ask('GET', `${PODS}/p/log`);
    assert.equal(log.status, 500);
  });
});
