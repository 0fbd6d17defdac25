import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reflector, type ReflectorEvent } from '#feed/reflector.ts';
import { FakeApi, ManualClock, settle } from '#feed/testing.ts';
import type { ConfigMap } from '#spec/k8s.ts';

const thing = (name: string, value = ''): ConfigMap => ({ metadata: { namespace: 'ns', name }, data: { value } });

/** A reflector on a fake API, and what its handler heard. */
function setUp() {
  const api = new FakeApi<ConfigMap>();
  const clock = new ManualClock();
  const errors: string[] = [];
  const reflector = new Reflector(api, { clock, onError: (_, error, waitMs) => errors.push(`${waitMs} ${error}`) });
  const heard: string[] = [];
  reflector.onChange((event) => heard.push(wordOf(event)));
  const stop = new AbortController();
  const start = () => {
    const running = reflector.run(stop.signal);
    return {
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
      },
    };
  };
  return { api, clock, errors, reflector, heard, start };
}

function wordOf(event: ReflectorEvent<ConfigMap>): string {
  if (event.type === 'synced') return 'synced';
  return `${event.type} ${event.key}${event.type === 'set' ? `=${event.object.data?.value}` : ''}`;
}

const names = (reflector: Reflector<ConfigMap>) => [...reflector.store.objects.keys()].sort();

test('Reflector lists, says synced, then follows the watch', async () => {
  const { api, reflector, heard, start } = setUp();
  api.put(thing('a', '1'));
  await using _ = start();
  await reflector.whenSynced();
  await settle();
  api.put(thing('b', '2'));
  api.put(thing('a', '3'));
  api.remove('ns/b');
  await settle();
  assert.deepEqual(heard, ['set ns/a=1', 'synced', 'set ns/b=2', 'set ns/a=3', 'delete ns/b']);
  assert.deepEqual(names(reflector), ['ns/a']);
});

test('Reflector is not synced while the first list fails, and waits longer each time', async () => {
  const { api, clock, reflector, start } = setUp();
  api.down();
  await using _ = start();
  await settle();
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    const wait = clock.sleeping[0] ?? 0;
    waits.push(wait);
    await clock.advance(wait);
  }
  assert.deepEqual(waits, [75, 150, 300, 600, 1200, 2400, 4800, 7500, 7500]);
  assert.equal(reflector.synced, false);
  api.up();
  await clock.advance(7500);
  assert.equal(reflector.synced, true);
});

test('Reflector keeps what it knows while the API is away and resumes where it was', async () => {
  const { api, clock, reflector, heard, start } = setUp();
  api.put(thing('a', '1'));
  await using _ = start();
  await settle();
  api.down();
  await settle();
  api.remove('ns/a');
  api.put(thing('b', '2'));
  await settle();
  assert.deepEqual(names(reflector), ['ns/a']);
  assert.equal(reflector.synced, true);
  assert.equal(reflector.connectedSince, undefined);
  api.up();
  await clock.advance(100);
  assert.deepEqual(heard, ['set ns/a=1', 'synced', 'delete ns/a', 'set ns/b=2']);
  assert.deepEqual(api.calls, ['list', 'watch 1', 'watch 1']);
});

test('Reflector lists again at once on 410 and tells what was deleted meanwhile', async () => {
  const { api, clock, heard, start } = setUp();
  api.put(thing('a', '1'));
  api.put(thing('b', '1'));
  await using _ = start();
  await settle();
  api.down();
  await settle();
  api.remove('ns/a');
  api.put(thing('b', '2'));
  api.put(thing('c', '3'));
  api.compact();
  api.up();
  await clock.advance(100);
  await clock.advance(0);
  assert.deepEqual(heard, ['set ns/a=1', 'set ns/b=1', 'synced', 'delete ns/a', 'set ns/b=2', 'set ns/c=3']);
  assert.deepEqual(api.calls, ['list', 'watch 2', 'watch 2', 'list', 'watch 5']);
});

test('a bookmark moves the version that the next watch starts from', async () => {
  const { api, clock, start } = setUp();
  api.put(thing('a'));
  await using _ = start();
  await settle();
  api.compact();
  api.bookmark();
  await settle();
  api.breakWatches();
  await clock.advance(100);
  assert.deepEqual(api.calls, ['list', 'watch 1', 'watch 1']);
});

test('a handler that comes late hears everything known', async () => {
  const { api, reflector, start } = setUp();
  api.put(thing('a', '1'));
  await using _ = start();
  await settle();
  const late: string[] = [];
  using handler = reflector.onChange((event) => late.push(wordOf(event)));
  assert.deepEqual(late, ['set ns/a=1', 'synced']);
  handler[Symbol.dispose]();
  api.put(thing('b', '1'));
  await settle();
  assert.equal(late.length, 2);
});

test('Reflector that two share lists and watches once, and both are told', async () => {
  const { api, clock, reflector, heard } = setUp();
  const other: string[] = [];
  reflector.onChange(({ type }) => other.push(type));
  api.put(thing('a', '1'));
  const stop = new AbortController();
  const both = [reflector.run(stop.signal), reflector.run(stop.signal)];
  await settle();
  api.put(thing('b', '2'));
  await settle();
  assert.deepEqual(heard, ['set ns/a=1', 'synced', 'set ns/b=2']);
  assert.deepEqual(other, ['set', 'synced', 'set']);
  assert.deepEqual(api.calls, ['list', 'watch 1']);
  stop.abort();
  await Promise.all(both);
  await clock.advance(0);
});
