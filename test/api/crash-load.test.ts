/**
 * Two API servers are killed 100 times each under write load. What it acknowledged is there afterwards, and watchers that
 * resume where they were have seen every revision of it, once and in order.
 */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type ServerProcess, startProcess } from '#serve/api/testing/process.ts';
import { CONFIG_MAPS, configMap, type TestClient, temporaryDirectory } from '#serve/api/testing/server.ts';
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';

const ROUNDS = 100;
/** It takes a minute; on a machine that does other things too, several. */
const LIMIT_MS = 900_000;
const WRITERS = 4;
const WATCHERS = 3;
/** Each writer has this many objects of its own. */
const OBJECTS = 10;

/** All that clients were told, over all lives of the server. */
class Told {
  /** Name -> the newest value whose write was answered with success. */
  readonly values = new Map<string, number>();
  /** Revisions of the writes that were answered with success. */
  readonly revisions: number[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  note(body: JsonObject): void {
    this.values.set(textAt(body, 'metadata', 'name'), Number(textAt(body, 'data', 'value')));
    this.revisions.push(Number(textAt(body, 'metadata', 'resourceVersion')));
    this.#waiting = this.#waiting.filter(({ count, resolve }) => this.revisions.length < count || resolve());
  }

  /** When so many more writes have been acknowledged. */
  more(writes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (writes === 0) resolve();
    else this.#waiting.push({ count: this.revisions.length + writes, resolve });
    return promise;
  }
}

/** One client that writes until the server is gone. */
async function write(client: TestClient, writer: number, told: Told, from: number): Promise<number> {
  for (let value = from; ; value += 1) {
    const name = `c-${writer}-${value % OBJECTS}`;
    const object = configMap(name, { value: `${value}` });
    try {
      const changed = await client.ask('PUT', `${CONFIG_MAPS}/${name}`, object);
      const answer = changed.status === 404 ? await client.ask('POST', CONFIG_MAPS, object) : changed;
      // 409: the creation before the last death was made, and not acknowledged.
      assert.ok([200, 201, 409].includes(answer.status), answer.text);
      if (answer.status < 300) told.note(answer.body);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return value + 1;
    }
  }
}

/** A client that watches, resumes after each death, and keeps what it saw. */
class Watcher {
  readonly revisions: number[] = [];
  readonly values = new Map<string, number>();
  #last: number;

  constructor(from: number) {
    this.#last = from;
  }

  /** Until the server is gone, or `enough`. */
  async follow(client: TestClient, enough = (): boolean => false): Promise<void> {
    const answer = await client.open('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=${this.#last}`).catch(() => {});
    if (answer === undefined) return;
    let rest = '';
    try {
      for await (const chunk of answer) {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#see(JSON.parse(line));
        if (enough()) break;
      }
    } catch (error) {
      if (error instanceof assert.AssertionError || error instanceof SyntaxError) throw error;
    }
    answer.destroy();
  }

  #see(event: JsonObject): void {
    assert.ok(['ADDED', 'MODIFIED'].includes(textAt(event, 'type')), JSON.stringify(event));
    const object = objectAt(event, 'object');
    this.#last = Number(textAt(object, 'metadata', 'resourceVersion'));
    this.revisions.push(this.#last);
    this.values.set(textAt(object, 'metadata', 'name'), Number(textAt(object, 'data', 'value')));
  }
}

/** As the server lists them: name -> value. */
async function listed(client: TestClient): Promise<Map<string, number>> {
  const { body } = await client.ask('GET', CONFIG_MAPS);
  const maps = objectsAt(body, 'items').filter((one) => isObject(one.data) && 'value' in one.data);
  return new Map(maps.map((one) => [textAt(one, 'metadata', 'name'), Number(textAt(one, 'data', 'value'))]));
}

function assertKept(found: ReadonlyMap<string, number>, told: Told, round: number): void {
  for (const [name, value] of told.values) {
    // A write that was not acknowledged any more may still have been made.
    assert.ok((found.get(name) ?? -1) >= value, `round ${round}: ${name} is ${found.get(name)}, told was ${value}`);
  }
}

/** Two servers are killed side by side, each as often. */
describe('the API server killed under load', { timeout: LIMIT_MS, concurrency: 2 }, () => {
  for (const which of ['one', 'another']) {
    it(
      `loses no acknowledged write in ${ROUNDS} deaths, and no watcher misses an event: ${which}`,
      { timeout: LIMIT_MS },
      killOften,
    );
  }
});

async function killOften(): Promise<void> {
  const directory = temporaryDirectory();
  try {
    const told = new Told();
    const watchers = await begin(directory);
    let next = Array.from({ length: WRITERS }, () => 0);
    for (let round = 0; round < ROUNDS; round += 1) {
      await using server = await startProcess(directory, ['--listen', '127.0.0.1:0']);
      assertKept(await listed(server.client), told, round);
      next = await oneLife(server, { told, watchers, next, writes: (round * 7) % 31 });
    }
    await finish(directory, told, watchers);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function begin(directory: string): Promise<Watcher[]> {
  await using server = await startProcess(directory, ['--listen', '127.0.0.1:0']);
  const { body } = await server.client.ask('GET', CONFIG_MAPS);
  const revision = Number(textAt(body, 'metadata', 'resourceVersion'));
  return Array.from({ length: WATCHERS }, () => new Watcher(revision));
}

interface Life {
  readonly told: Told;
  readonly watchers: readonly Watcher[];
  /** The next value of each writer. */
  readonly next: readonly number[];
  /** The server dies after so many acknowledged writes. */
  readonly writes: number;
}

async function oneLife(server: ServerProcess, { told, watchers, next, writes }: Life): Promise<number[]> {
  const watching = watchers.map((watcher) => watcher.follow(server.client));
  const writing = next.map((value, writer) => write(server.client, writer, told, value));
  await told.more(writes);
  server.child.kill('SIGKILL');
  await Promise.all(watching);
  return await Promise.all(writing);
}

async function finish(directory: string, told: Told, watchers: readonly Watcher[]): Promise<void> {
  await using server = await startProcess(directory, ['--listen', '127.0.0.1:0']);
  const found = await listed(server.client);
  assertKept(found, told, ROUNDS);
  const newest = Math.max(...told.revisions);
  assert.ok(told.revisions.length > ROUNDS * 10, `${told.revisions.length} writes were acknowledged`);
  for (const watcher of watchers) {
    const isDone = () => [...found].every(([name, value]) => watcher.values.get(name) === value);
    if (!isDone()) await watcher.follow(server.client, isDone);
    const seen = new Set(watcher.revisions);
    assert.deepEqual(
      told.revisions.filter((revision) => !seen.has(revision)),
      [],
    );
    assert.ok(watcher.revisions.every((revision, index) => revision > (watcher.revisions[index - 1] ?? 0)));
    assert.ok((watcher.revisions.at(-1) ?? 0) >= newest);
  }
}
