import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLUSTERS } from '#calc/testing/clusters.ts';
import { loadSnapshot, saveSnapshot } from '#serve/agent/saved-snapshot.ts';
import type { Snapshot, Synced } from '#spec/cluster.ts';

function inTemporary(fn: (path: string, dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'polder-snapshot-'));
  try {
    fn(join(dir, 'snapshot.json'), dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('loadSnapshot reads what saveSnapshot wrote, without this node’s pods', () => {
  inTemporary((path, dir) => {
    for (const snapshot of Object.values(CLUSTERS)) {
      saveSnapshot(path, snapshot as Snapshot as Synced<Snapshot>);
      assert.deepEqual(loadSnapshot(path), { config: snapshot.config, nodes: snapshot.nodes });
    }
    assert.deepEqual(readdirSync(dir), ['snapshot.json']);
  });
});

test('loadSnapshot finds nothing in a file that is missing, torn, or something else', () => {
  inTemporary((path) => {
    assert.equal(loadSnapshot(path), undefined);
    saveSnapshot(path, CLUSTERS.vxlan as Snapshot as Synced<Snapshot>);
    const whole = JSON.stringify({ version: 1, config: CLUSTERS.vxlan.config, nodes: CLUSTERS.vxlan.nodes });
    for (const text of ['', '{}', whole.slice(0, -1), whole.replace('10.244.0.0/16', '10.244.0.1/16'), '[1]', 'null']) {
      writeFileSync(path, text);
      assert.equal(loadSnapshot(path), undefined, text);
    }
  });
});

test('loadSnapshot takes any JSON without throwing', () => {
  inTemporary((path) => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        writeFileSync(path, json);
        assert.equal(loadSnapshot(path), undefined);
      }),
      { numRuns: 50 },
    );
  });
});
