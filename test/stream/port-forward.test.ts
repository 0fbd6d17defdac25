import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Cluster, startCluster } from '#test/stream/cluster.ts';
import { KUBECTL_ENDS, KUBECTLS, type Kubectl, start } from '#test/stream/kubectl.ts';
import { LocalBackend } from '#test/stream/local-backend.ts';

test('some kubectl is installed', { skip: KUBECTLS.length === 0 ? 'no kubectl is installed' : false }, () => undefined);

/** A server of the pod, on a port of its own. */
async function serve(onConnection: (socket: Socket) => void): Promise<Server & AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address() as AddressInfo;
  return address.port;
}

interface Forwarder extends AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly port: number;
}

/** `kubectl port-forward` to the pod's port, listening. */
async function forwardTo(kubectl: Kubectl, cluster: Cluster, port: number): Promise<Forwarder> {
  const child = start(kubectl, cluster, ['port-forward', 'web', `:${port}`, '--address=127.0.0.1']);
  let seen = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    seen += String(chunk);
    if (/Forwarding from .*\n/.test(seen)) break;
  }
  child.stdout.resume();
  const [, local] = /127\.0\.0\.1:(\d+)/.exec(seen) ?? [];
  assert.ok(local, `kubectl said: ${seen}${String(child.stderr.read() ?? '')}`);
  return {
    child,
    port: Number(local),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    },
  };
}

function dial(port: number): Socket {
  return connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

for (const kubectl of KUBECTLS) {
  test(`${kubectl.name} port-forward passes a request and its answer`, { timeout: 20_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    await using server = await serve((socket) => socket.once('data', (chunk) => socket.end(`you said ${chunk}`)));
    await using forwarder = await forwardTo(kubectl, cluster, portOf(server));
    const socket = dial(forwarder.port);
    socket.write('hello');
    assert.equal((await buffer(socket)).toString(), 'you said hello');
  });
}

for (const kubectl of KUBECTL_ENDS) {
  test(`${kubectl.name} port-forward carries 50 connections at once`, { timeout: 30_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    await using server = await serve((socket) => socket.pipe(socket));
    await using forwarder = await forwardTo(kubectl, cluster, portOf(server));
    const dials = Array.from({ length: 50 }, async (_, index) => {
      const socket = dial(forwarder.port);
      socket.end(`connection ${index} `.repeat(1000));
      assert.equal((await buffer(socket)).toString(), `connection ${index} `.repeat(1000));
    });
    await Promise.all(dials);
  });

  test(`${kubectl.name} port-forward passes a half close: the answer comes after the end of the question`, {
    timeout: 20_000,
  }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    await using server = await serve((socket) => {
      void buffer(socket).then((all) => socket.end(`${all.length} bytes`));
    });
    await using forwarder = await forwardTo(kubectl, cluster, portOf(server));
    const socket = dial(forwarder.port);
    socket.end(Buffer.alloc(3_000_000));
    assert.equal((await buffer(socket)).toString(), '3000000 bytes');
  });

  test(`${kubectl.name} port-forward carries 20 MB each way unharmed`, { timeout: 30_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    await using server = await serve((socket) => socket.pipe(socket));
    await using forwarder = await forwardTo(kubectl, cluster, portOf(server));
    const bytes = randomFillSync(Buffer.allocUnsafe(20_000_000));
    const socket = dial(forwarder.port);
    socket.end(bytes);
    assert.equal(sha256(await buffer(socket)), sha256(bytes));
  });

  test(`${kubectl.name} port-forward says that a port refuses`, { timeout: 20_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const server = await serve(() => undefined);
    const port = portOf(server);
    await new Promise((resolve) => server.close(resolve));
    await using forwarder = await forwardTo(kubectl, cluster, port);
    const socket = dial(forwarder.port);
    assert.equal((await buffer(socket)).length, 0);
    const said = await once(forwarder.child.stderr, 'data');
    assert.match(String(said), new RegExp(`error forwarding port ${port} to pod web.*ECONNREFUSED`));
  });

  test(`${kubectl.name} port-forward goes on after a connection that was broken off`, { timeout: 20_000 }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    await using server = await serve((socket) =>
      socket.once('data', (chunk) => {
        if (String(chunk) === 'break') socket.resetAndDestroy();
        else socket.end('fine');
      }),
    );
    await using forwarder = await forwardTo(kubectl, cluster, portOf(server));
    const broken = dial(forwarder.port);
    broken.write('break');
    await buffer(broken).catch(() => undefined);
    broken.destroy();
    const whole = dial(forwarder.port);
    whole.write('go on');
    assert.equal((await buffer(whole)).toString(), 'fine');
  });

  test(`${kubectl.name} port-forward: kubectl's end closes the connections in the pod`, {
    timeout: 20_000,
  }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
    await using server = await serve(resolve);
    await using forwarder = await forwardTo(kubectl, cluster, portOf(server));
    dial(forwarder.port).write('hello');
    const socket = await accepted;
    socket.resume();
    forwarder.child.kill('SIGKILL');
    await once(socket, 'end');
    socket.destroy();
  });
}

/** The kernel's own view: no connection to the port is left. */
function connectionsTo(port: number): string {
  return execFileSync('ss', ['-Htn', `dport = :${port}`], { encoding: 'utf8' });
}

for (const kubectl of KUBECTL_ENDS) {
  test(`${kubectl.name} port-forward leaves no connection open when both ends are done`, {
    timeout: 20_000,
  }, async () => {
    await using cluster = await startCluster(new LocalBackend());
    await using server = await serve((socket) => socket.pipe(socket));
    const port = portOf(server);
    await using forwarder = await forwardTo(kubectl, cluster, port);
    for (let turn = 0; turn < 5; turn++) {
      const socket = dial(forwarder.port);
      socket.end('x');
      await buffer(socket);
    }
    for (let turn = 0; turn < 100 && connectionsTo(port).includes('ESTAB'); turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(!connectionsTo(port).includes('ESTAB'));
  });
}
