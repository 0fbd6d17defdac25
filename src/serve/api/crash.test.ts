import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { startProcess } from '#serve/api/testing/process.ts';
import { CONFIG_MAPS, configMap, temporaryDirectory } from '#serve/api/testing/server.ts';
import { objectsAt, textAt } from '#spec/kinds/json.ts';

const LISTEN = ['--listen', '127.0.0.1:0'];
const ENTRY = join(import.meta.dirname, '../../cmd/apiserver.ts');

class Directory implements Disposable {
  readonly path = temporaryDirectory();
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Writes from several clients at once until the server is gone; what was acknowledged, as name -> value. */
async function writeUntilDeath(
  client: { ask: (method: string, path: string, body?: never) => Promise<{ status: number }> },
  round: number,
  writer: number,
  acknowledged: Map<string, string>,
): Promise<void> {
  const ask = client.ask.bind(client) as (method: string, path: string, body: unknown) => Promise<{ status: number }>;
  for (let index = 0; ; index += 1) {
    const name = `c-${round}-${writer}-${index % 10}`;
    const value = `${index}`;
    const known = acknowledged.has(name);
    try {
      const answer = known
        ? await ask('PUT', `${CONFIG_MAPS}/${name}`, configMap(name, { value }))
        : await ask('POST', CONFIG_MAPS, configMap(name, { value }));
      if (answer.status < 300) acknowledged.set(name, value);
    } catch {
      return;
    }
  }
}

describe('the server process', { timeout: 240_000 }, () => {
  it('loses nothing that it acknowledged when it is killed under load, again and again', {
    timeout: 120_000,
  }, async () => {
    using directory = new Directory();
    const acknowledged = new Map<string, string>();
    let revision = 0;
    for (let round = 0; round < 4; round += 1) {
      await using server = await startProcess(directory.path, LISTEN);
      const { body } = await server.client.ask('GET', CONFIG_MAPS);
      const found = new Map(
        objectsAt(body, 'items').map((one) => [textAt(one, 'metadata', 'name'), Number(textAt(one, 'data', 'value'))]),
      );
      for (const [name, value] of acknowledged) {
        // A write that was not acknowledged any more may still have been made.
        assert.ok((found.get(name) ?? -1) >= Number(value), `${name} is ${found.get(name)}, acknowledged was ${value}`);
      }
      const now = Number(textAt(body, 'metadata', 'resourceVersion'));
      assert.ok(now > revision, 'revisions grow over restarts');
      revision = now;
      const writers = [0, 1, 2, 3].map((writer) => writeUntilDeath(server.client, round, writer, acknowledged));
      while (acknowledged.size < (round + 1) * 40) await new Promise((resolve) => setImmediate(resolve));
      server.child.kill('SIGKILL');
      await Promise.all(writers);
    }
    assert.ok(acknowledged.size >= 160);
  });

  it('ends by SIGTERM with status 0, also while it is watched', async () => {
    using directory = new Directory();
    await using server = await startProcess(directory.path, LISTEN);
    const watching = server.client.watch(`${CONFIG_MAPS}?watch=1`, () => false).catch(() => []);
    assert.equal(await server.stop('SIGTERM'), 0);
    await watching;
  });

  it('keeps its keys to itself and uses them again', async () => {
    using directory = new Directory();
    const file = (name: string) => join(directory.path, name);
    await using first = await startProcess(directory.path, LISTEN);
    const made = statSync(file('pki/ca.key'));
    assert.equal(made.mode & 0o777, 0o600);
    for (const name of ['pki/sa.key', 'pki/apiserver.key', 'kubeconfig', 'api.db']) {
      assert.equal(statSync(file(name)).mode & 0o077, 0, name);
    }
    await first.stop('SIGKILL');
    await using _ = await startProcess(directory.path, LISTEN);
    assert.equal(statSync(file('pki/ca.key')).mtimeMs, made.mtimeMs);
    assert.equal(statSync(file('pki/apiserver.key')).mtimeMs >= made.mtimeMs, true);
  });

  it('serves a listening socket that its parent made', async () => {
    using directory = new Directory();
    const socket = createServer();
    socket.listen(0, '127.0.0.1');
    await once(socket, 'listening');
    const handle: { fd: number } = Reflect.get(socket, '_handle');
    const starting = startProcess(directory.path, ['--listen-fd', '3'], { fds: [handle.fd] });
    // Connections are the child's from now on.
    socket.close();
    await using server = await starting;
    assert.equal((await server.client.ask('GET', '/readyz')).text, 'ok');
    assert.ok(existsSync(join(directory.path, 'kubeconfig-inside')));
  });

  it('says in one sentence why it cannot start, with its own exit status', () => {
    using directory = new Directory();
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [ENTRY, '--data', directory.path, ...args], { encoding: 'utf8' });
    const db = new DatabaseSync(join(directory.path, 'api.db'));
    db.exec('PRAGMA user_version=1000');
    db.close();
    const newer = run(...LISTEN);
    assert.equal(newer.status, 40);
    assert.match(newer.stderr, /was written by a newer Polder/);
    assert.equal(run().status, 2);
    assert.equal(run('--listen', 'nonsense').status, 2);
    const file = spawnSync(process.execPath, [ENTRY, '--data', '/dev/null/x', ...LISTEN], { encoding: 'utf8' });
    assert.equal(file.status, 42);
    assert.match(file.stderr, /Cannot open the API store/);
  });

  it('leaves a directory alone that another one serves', async () => {
    using directory = new Directory();
    await using server = await startProcess(directory.path, LISTEN);
    const second = spawnSync(process.execPath, [ENTRY, '--data', directory.path, ...LISTEN], { encoding: 'utf8' });
    assert.equal(second.status, 41);
    assert.match(second.stderr, /is held by another process/);
    assert.equal((await server.client.ask('POST', CONFIG_MAPS, configMap('c', {}))).status, 201);
  });

  it('says that it cannot listen where it is told to', () => {
    using directory = new Directory();
    for (const [flag, value] of [
      ['--listen', '192.0.2.1:0'],
      ['--listen-fd', '77'],
    ] as const) {
      const { status, stderr } = spawnSync(process.execPath, [ENTRY, '--data', directory.path, flag, value], {
        encoding: 'utf8',
      });
      assert.equal(status, 2);
      assert.match(stderr, /Cannot listen on/);
    }
  });
});
