import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { linesOf, Watchers } from '#lab/supervisor/watchers.ts';

/** A server that answers every line by a watch of `look`; resolves `ended` when a client has gone. */
async function serverOf(watchers: Watchers, look: () => object) {
  const dir = mkdtempSync(join(tmpdir(), 'pt-watchers-'));
  const ended = Promise.withResolvers<void>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const serve = async () => {
      for await (const _ of linesOf(socket)) watchers.add(socket, look);
    };
    serve().then(ended.resolve, ended.reject);
  });
  server.listen(join(dir, 's'));
  await once(server, 'listening');
  return {
    path: join(dir, 's'),
    ended: ended.promise,
    [Symbol.dispose]() {
      server.close();
      rmSync(dir, { recursive: true });
    },
  };
}

test('Watchers tell at once, of what has changed, and several changes in a row as one', async () => {
  const watchers = new Watchers();
  let value = 1;
  using server = await serverOf(watchers, () => ({ value }));
  const client = connect(server.path);
  client.write('watch\n');
  const lines = createInterface({ input: client })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, '{"value":1}');
  watchers.wake();
  value = 2;
  watchers.wake();
  value = 3;
  watchers.wake();
  assert.equal((await lines.next()).value, '{"value":3}');
  client.end();
  await server.ended;
  client.destroy();
});

test('a client that is killed with something unread is one that has gone', async () => {
  const watchers = new Watchers();
  let value = 'x'.repeat(100_000);
  using server = await serverOf(watchers, () => ({ value }));
  const client = connect(server.path);
  client.write('watch\n');
  await once(client, 'readable'); // and nothing of it is read
  value = 'y'.repeat(100_000);
  watchers.wake();
  client.destroy();
  await server.ended;
  watchers.wake();
});
