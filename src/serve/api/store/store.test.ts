import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { Store } from '#serve/api/store/store.ts';
import type { StoreEvent } from '#serve/api/store/stored.ts';
import { temporaryDirectory } from '#serve/api/testing/server.ts';

const indexOf = () => ({ labels: {}, fields: {} });

function key(name: string) {
  return { resource: 'things', namespace: 'a', name };
}

/** A store of a test's own, and ways to open it again. */
class Bench implements Disposable {
  readonly dir = temporaryDirectory();
  readonly file = join(this.dir, 'api.db');
  store = this.#open();

  #open(): Store {
    return new Store({ file: this.file, indexOf, history: { events: 50, bytes: 1e6 } });
  }

  reopen(): Store {
    this.store.close();
    this.store = this.#open();
    return this.store;
  }

  put(name: string, text = name): number {
    return this.store.put(key(name), text).revision;
  }

  [Symbol.dispose](): void {
    this.store.close();
    rmSync(this.dir, { recursive: true });
  }
}

function show(events: readonly StoreEvent[]): string[] {
  return events.map((event) => `${event.type} ${event.object.name} ${event.object.text}`);
}

describe('Store', () => {
  it('counts one revision up with each write, over all resources', () => {
    using bench = new Bench();
    const first = bench.put('x');
    assert.equal(bench.put('y'), first + 1);
    assert.equal(bench.store.remove(key('x'), 'gone').revision, first + 2);
    assert.equal(bench.store.revision, first + 2);
  });

  it('lists in the order of namespaces and names', () => {
    using bench = new Bench();
    for (const name of ['b', 'a', 'c']) bench.put(name);
    assert.deepEqual(
      bench.store.list('things').map((one) => one.name),
      ['a', 'b', 'c'],
    );
    assert.deepEqual(bench.store.list('others'), []);
  });

  it('has the same state and the same history after it is opened again', () => {
    using bench = new Bench();
    const start = bench.put('x', 'one');
    bench.put('x', 'two');
    bench.put('y');
    bench.store.remove(key('y'), 'last');
    const before = show(bench.store.after(start));
    const store = bench.reopen();
    assert.deepEqual(show(store.after(start)), before);
    assert.deepEqual(before, ['MODIFIED x two', 'ADDED y y', 'DELETED y last']);
    assert.deepEqual(
      store.list('things').map((one) => one.text),
      ['two'],
    );
  });

  it('shows a list as it was at an earlier revision', () => {
    using bench = new Bench();
    bench.put('x', 'one');
    const then = bench.put('y');
    bench.put('x', 'two');
    bench.store.remove(key('y'), 'last');
    bench.put('z');
    assert.deepEqual(
      bench.store.listAt('things', then).map((one) => one.text),
      ['one', 'y'],
    );
  });

  it('compacts what its history no longer holds, and stays the same when opened again', () => {
    using bench = new Bench();
    bench.put('kept', 'old');
    for (let index = 0; index < 1200; index += 1) bench.put(`n${index % 7}`, `${index}`);
    bench.put('gone');
    bench.store.remove(key('gone'), 'gone');
    const { revision, compacted } = bench.store;
    assert.ok(compacted > revision - 60);
    const state = bench.store.list('things').map((one) => `${one.name}=${one.text}@${one.revision}`);
    const store = bench.reopen();
    assert.equal(store.revision, revision);
    assert.deepEqual(
      store.list('things').map((one) => `${one.name}=${one.text}@${one.revision}`),
      state,
    );
    assert.ok(store.compacted >= 1000, 'an old revision stays unavailable');
    assert.ok(rowCount(bench) < 700, 'superseded rows are gone from the file');
  });

  it('tells subscribers after the write, with what was before', () => {
    using bench = new Bench();
    const seen: string[] = [];
    using _ = bench.store.subscribe('things', (event) => {
      seen.push(`${event.type} ${event.before?.text ?? '-'} ${bench.store.get(key('x'))?.text ?? 'none'}`);
    });
    bench.put('x', 'one');
    bench.put('x', 'two');
    bench.store.remove(key('x'), 'two');
    assert.deepEqual(seen, ['ADDED - one', 'MODIFIED one two', 'DELETED two none']);
  });

  it('changes nothing when the database refuses a write', () => {
    using bench = new Bench();
    bench.put('x', 'one');
    const { revision } = bench.store;
    bench.store.close();
    assert.throws(() => bench.put('x', 'two'));
    assert.equal(bench.store.revision, revision);
    assert.equal(bench.store.get(key('x'))?.text, 'one');
    bench.store = new Store({ file: bench.file, indexOf });
  });

  it('refuses the file of a newer version, and leaves it as it is', () => {
    using bench = new Bench();
    bench.put('x');
    bench.store.close();
    const raw = new DatabaseSync(bench.file);
    raw.exec('PRAGMA user_version=99');
    raw.close();
    assert.throws(() => new Store({ file: bench.file, indexOf }), { name: 'PolderError', code: 'store-newer' });
    const again = new DatabaseSync(bench.file);
    assert.equal(again.prepare('PRAGMA user_version').get()?.user_version, 99);
    again.exec('PRAGMA user_version=1');
    again.close();
    bench.store = new Store({ file: bench.file, indexOf });
  });

  it('refuses what is no store', () => {
    const dir = temporaryDirectory();
    assert.throws(() => new Store({ file: dir, indexOf }), { name: 'PolderError', code: 'store-unreadable' });
    rmSync(dir, { recursive: true });
  });
});

function rowCount(bench: Bench): number {
  bench.store.close();
  const raw = new DatabaseSync(bench.file);
  const count = Number(raw.prepare('SELECT count(*) AS n FROM revisions').get()?.n);
  raw.close();
  bench.store = new Store({ file: bench.file, indexOf });
  return count;
}
