import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { installPlugins } from '#cni/install.ts';

/** A folder with the reference plugin `bridge`, and a shim. */
function folder(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-install-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const binDir = join(dir, 'bin');
  const shim = join(dir, 'shim');
  mkdirSync(binDir);
  writeFileSync(join(binDir, 'bridge'), 'of others', { mode: 0o755 });
  writeFileSync(shim, '#!/bin/sh\n', { mode: 0o755 });
  return { binDir, shim, install: () => installPlugins({ binDir, shim, node: process.execPath, replace: true }) };
}

/** What fails at each step, and how it comes to. */
const OBSTACLES: Readonly<Record<string, (at: { binDir: string; shim: string }) => void>> = {
  '.polder cannot be written': ({ binDir }) => void mkdirSync(join(binDir, '.polder/sub'), { recursive: true }),
  'the shim is not there': ({ shim }) => rmSync(shim),
  'the shim cannot be put': ({ binDir }) => void mkdirSync(join(binDir, 'polder/sub'), { recursive: true }),
};

for (const [what, obstruct] of Object.entries(OBSTACLES)) {
  test(`an installation that fails because ${what} leaves the plugins that were there, and nothing half written`, (t) => {
    const at = folder(t);
    obstruct(at);
    assert.throws(at.install, { code: 'cni-io' });
    assert.equal(readFileSync(join(at.binDir, 'bridge'), 'utf8'), 'of others');
    assert.deepEqual(
      readdirSync(at.binDir).filter((name) => name.includes('.new')),
      [],
    );
  });
}

test('a link that cannot be put leaves those that were put working', (t) => {
  const { binDir, install } = folder(t);
  mkdirSync(join(binDir, 'vrf/sub'), { recursive: true });
  assert.throws(install, { code: 'cni-io' });
  assert.equal(readFileSync(join(binDir, 'bridge'), 'utf8'), '#!/bin/sh\n');
  assert.ok(statSync(join(binDir, '.polder')).isFile());
  assert.deepEqual(
    readdirSync(binDir).filter((name) => name.includes('.new')),
    [],
  );
});
