import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BACKUP_PATH } from '#serve/api/backup.ts';
import { checkBackup, RESTORE_FILE, takeRestore } from '#serve/api/store/restore.ts';
import { Store } from '#serve/api/store/store.ts';
import { CONFIG_MAPS, configMap, startServer, type TestClient, temporaryDirectory } from '#serve/api/testing/server.ts';
import { textAt } from '#spec/kinds/json.ts';

const indexOf = () => ({ labels: {}, fields: {} });

async function backup(client: TestClient, file: string): Promise<void> {
  const answer = await client.open('GET', BACKUP_PATH);
  assert.equal(answer.statusCode, 200);
  writeFileSync(file, Buffer.concat(await answer.toArray()));
}

async function revisionOf(client: TestClient): Promise<number> {
  return Number(textAt((await client.ask('GET', CONFIG_MAPS)).body, 'metadata', 'resourceVersion'));
}

class Directory implements Disposable {
  readonly path = temporaryDirectory();
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

describe('a backup of the API', () => {
  it('restored, is the state that it was taken of, and no revision is said twice', async () => {
    using files = new Directory();
    const file = join(files.path, 'backup');
    await using server = await startServer();
    for (const name of ['kept', 'changed'])
      await server.client.ask('POST', CONFIG_MAPS, configMap(name, { at: 'backup' }));
    await backup(server.client, file);
    const before = (await server.client.ask('GET', CONFIG_MAPS)).body;
    await server.client.ask('POST', CONFIG_MAPS, configMap('later', {}));
    await server.client.ask('PUT', `${CONFIG_MAPS}/changed`, configMap('changed', { at: 'later' }));
    await server.client.ask('DELETE', `${CONFIG_MAPS}/kept`);
    const newest = await revisionOf(server.client);
    copyFileSync(file, join(server.dataDir, RESTORE_FILE));
    const restored = await server.restart();
    try {
      const { body } = await restored.client.ask('GET', CONFIG_MAPS);
      assert.deepEqual(body.items, before.items);
      assert.ok((await revisionOf(restored.client)) > newest);
      const watch = await restored.client.watch(
        `${CONFIG_MAPS}?watch=1&resourceVersion=${newest}`,
        (all) => all.length > 0,
      );
      assert.equal(textAt(watch[0], 'object', 'reason'), 'Expired', 'who watched before lists anew');
      const made = await restored.client.ask('POST', CONFIG_MAPS, configMap('after', {}));
      assert.ok(Number(textAt(made.body, 'metadata', 'resourceVersion')) > newest);
    } finally {
      await restored[Symbol.asyncDispose]();
    }
  });

  it('is refused to those who may not have all of it, and leaves no copy behind', async () => {
    await using server = await startServer();
    const headers = { 'Impersonate-User': 'somebody' };
    assert.equal((await server.client.ask('GET', BACKUP_PATH, undefined, { headers })).status, 403);
    assert.equal((await server.client.ask('GET', BACKUP_PATH)).status, 200);
    assert.deepEqual(
      readdirSync(server.dataDir).filter((name) => name.includes('copy')),
      [],
    );
  });

  it('taken halfway is taken whole by the next start', () => {
    using directory = new Directory();
    const [live, waiting] = [join(directory.path, 'api.db'), join(directory.path, RESTORE_FILE)];
    const old = new Store({ file: live, indexOf });
    old.put({ resource: 'things', namespace: '', name: 'x' }, 'old');
    old.copyTo(waiting);
    for (let more = 0; more < 5; more += 1) old.put({ resource: 'things', namespace: '', name: 'x' }, `new${more}`);
    const newest = old.revision;
    old.close();
    // Killed after the log of the old file was removed, before the new one had its name.
    writeFileSync(`${live}-wal`, 'rest of a log');
    takeRestore(directory.path);
    takeRestore(directory.path);
    const store = new Store({ file: live, indexOf });
    assert.equal(store.get({ resource: 'things', namespace: '', name: 'x' })?.text, 'old');
    assert.ok(store.revision > newest);
    assert.equal(store.after(newest).length, 0);
    store.close();
    assert.equal(existsSync(waiting), false);
  });

  it('that is none, or damaged, is refused in a sentence, and the store stays', () => {
    using directory = new Directory();
    const [live, waiting] = [join(directory.path, 'api.db'), join(directory.path, RESTORE_FILE)];
    new Store({ file: live, indexOf }).close();
    const { size } = statSync(live);
    for (const content of ['', 'no database at all, however long it may be', Buffer.alloc(8192)]) {
      writeFileSync(waiting, content);
      assert.throws(() => checkBackup(waiting), { name: 'PolderError', code: 'backup-unusable' });
      assert.throws(() => takeRestore(directory.path), { name: 'PolderError', code: 'backup-unusable' });
      assert.equal(statSync(live).size, size);
    }
  });
});
