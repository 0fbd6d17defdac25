import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { dropOldEvents } from '#serve/api/content/old-events.ts';
import { Kinds } from '#serve/api/kinds.ts';
import { indexWith } from '#serve/api/store/index.ts';
import { Store } from '#serve/api/store/store.ts';
import { temporaryDirectory } from '#serve/api/testing/server.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

it('dropOldEvents removes those that last happened more than an hour ago, and nothing else', () => {
  const dir = temporaryDirectory();
  const store = new Store({ file: join(dir, 'api.db'), indexOf: indexWith(new Kinds()) });
  const put = (name: string, times: object, resource = 'events'): void => {
    const metadata = { name, namespace: 'default', creationTimestamp: '2026-01-01T09:00:00Z' };
    store.put({ resource, namespace: 'default', name }, JSON.stringify({ metadata, ...times }));
  };
  put('old', {});
  put('older', { lastTimestamp: '2026-01-01T10:59:59Z' });
  put('again', { lastTimestamp: '2026-01-01T11:00:00Z' });
  put('series', {
    eventTime: '2026-01-01T09:00:00.000000Z',
    series: { lastObservedTime: '2026-01-01T11:30:00.000000Z' },
  });
  put('old', {}, 'configmaps');
  dropOldEvents({ store }, NOW);
  assert.deepEqual(
    store.list('events').map((one) => one.name),
    ['again', 'series'],
  );
  assert.equal(store.list('configmaps').length, 1);
  store.close();
  rmSync(dir, { recursive: true });
});
