/** A full disk: writes fail with 500 and say so, nothing acknowledged is lost, and room heals it. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { closeFd, listenTcp } from '#kernel/ffi/sockets.ts';
import { parseAddr } from '#net/addr.ts';
import { type ServerProcess, startProcess } from '#serve/api/testing/process.ts';
import { CONFIG_MAPS, configMap, type TestClient, temporaryDirectory } from '#serve/api/testing/server.ts';
import { objectsAt, textAt } from '#spec/kinds/json.ts';

const DISK_BYTES = 6 * 1024 * 1024;

/** A disk of its own size, mounted only in the mount namespace of a process that holds it. */
class SmallDisk implements AsyncDisposable {
  readonly #at = temporaryDirectory();
  readonly #holder: ChildProcess;
  /** Kept for all servers, as a lab's supervisor does: their port stays the same. */
  readonly #socket = listenTcp(parseAddr('127.0.0.1'), 0);

  private constructor() {
    const script = `mount -t tmpfs -o size=${DISK_BYTES} polder-test "$0" && echo mounted && read -r _`;
    this.#holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, this.#at], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  }

  static async make(): Promise<SmallDisk> {
    const disk = new SmallDisk();
    const { stdout } = disk.#holder;
    assert.ok(stdout);
    await once(stdout, 'data');
    return disk;
  }

  /** A server whose files are on the disk. */
  start(): Promise<ServerProcess> {
    const pid = this.#holder.pid ?? 0;
    const mountsOf = { pid, seenAs: join(this.path, 'data') };
    return startProcess(join(this.#at, 'data'), ['--listen-fd', '3'], { mountsOf, fds: [this.#socket] });
  }

  /** The disk as this process sees it. */
  get path(): string {
    return `/proc/${this.#holder.pid}/root${this.#at}`;
  }

  /** Takes all the room there is. */
  fill(): void {
    const chunk = Buffer.alloc(64 * 1024);
    for (const size of [chunk.length, 4096]) {
      try {
        for (;;) writeFileSync(join(this.path, 'filler'), chunk.subarray(0, size), { flag: 'a' });
      } catch (error) {
        assert.equal(error instanceof Error && 'code' in error && error.code, 'ENOSPC');
      }
    }
  }

  free(): void {
    rmSync(join(this.path, 'filler'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await ended;
    closeFd(this.#socket);
    rmSync(this.#at, { recursive: true, force: true });
  }
}

const BIG = 'x'.repeat(100_000);

/** Creates until the disk refuses; the names that were acknowledged, and the answer that was none. */
async function createUntilRefused(client: TestClient) {
  const kept: string[] = [];
  for (let index = 0; index < 1000; index += 1) {
    const name = `c-${index}`;
    const answer = await client.ask('POST', CONFIG_MAPS, configMap(name, { BIG }));
    if (answer.status !== 201) return { kept, answer };
    kept.push(name);
  }
  throw new Error('The disk has never been full');
}

async function namesOf(client: TestClient): Promise<Set<string>> {
  const { body } = await client.ask('GET', CONFIG_MAPS);
  return new Set(objectsAt(body, 'items').map((one) => textAt(one, 'metadata', 'name')));
}

describe('the API server on a full disk', { timeout: 120_000 }, () => {
  it('refuses writes with 500 and a sentence, loses nothing, and writes again when there is room', async () => {
    await using disk = await SmallDisk.make();
    const kept = await fillUnderWrites(disk);
    // A start on the full disk reads all there is; room that comes back heals it without a further one.
    await using again = await disk.start();
    const found = await namesOf(again.client);
    assert.deepEqual(
      kept.filter((name) => !found.has(name)),
      [],
    );
    disk.free();
    assert.equal((await again.client.ask('POST', CONFIG_MAPS, configMap('after', {}))).status, 201);
  });
});

async function fillUnderWrites(disk: SmallDisk): Promise<string[]> {
  await using server = await disk.start();
  const { client } = server;
  assert.equal((await client.ask('POST', CONFIG_MAPS, configMap('first', {}))).status, 201);
  disk.fill();
  const { kept, answer } = await createUntilRefused(client);
  assert.equal(answer.status, 500);
  assert.match(textAt(answer.body, 'message'), /its disk is full\. Make room/);
  assert.equal((await client.ask('GET', `${CONFIG_MAPS}/${kept.at(-1) ?? 'first'}`)).status, 200, 'reads go on');
  disk.free();
  const healed = await client.ask('POST', CONFIG_MAPS, configMap('healed', { BIG }));
  assert.equal(healed.status, 201, healed.text);
  disk.fill();
  return [...kept, 'first', 'healed'];
}
