import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startCluster } from '#test/stream/cluster.ts';
import { LocalBackend } from '#test/stream/local-backend.ts';

const found = spawnSync('/usr/bin/python3', ['-c', 'import kubernetes.stream']).status === 0;
const skip = found ? false : 'no Python client: package python3-kubernetes';

/** A server on a port of its own. */
async function listen(): Promise<AsyncDisposable & { readonly port: number; close(): Promise<void> }> {
  const server = createServer((socket) => socket.pipe(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const close = async () => {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, close, [Symbol.asyncDispose]: close };
}

test('the Python client execs and forwards ports', { skip, timeout: 60_000 }, async () => {
  await using cluster = await startCluster(new LocalBackend());
  await using open = await listen();
  await using closed = await listen();
  await closed.close();
  const [url, ca, token] = ['--server=', '--certificate-authority=', '--token='].map(
    (flag) => cluster.flags.find((each) => each.startsWith(flag))?.slice(flag.length) ?? '',
  );
  const args = [join(import.meta.dirname, 'client.py'), url, ca, token, String(open.port), String(closed.port)];
  const { stdout } = await promisify(execFile)('/usr/bin/python3', args.map(String), { timeout: 50_000 });
  assert.deepEqual(stdout.trim().split('\n'), [
    "whole ['err', 'out']",
    'answer 42',
    'code 9',
    'size 3000000',
    'echo hello',
    'refused True',
  ]);
  assert.match(cluster.upgrades[0] ?? '', /^websocket v4\.channel\.k8s\.io/);
});
