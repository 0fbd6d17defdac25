/** Which agent serves a node: names and locks, by the real shim. */

import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { takeNode } from '#cni/daemonless/lock.ts';
import { startCniServer } from '#cni/server/server.ts';
import { moveAway, noBed, ROUTED, runShim } from '#cni/testing/bed.ts';

const skip = noBed();
const CONF = { cniVersion: '1.1.0', name: 'polder', type: 'polder' };

test('an agent takes no name away before it has the node', { skip }, async (t) => {
  moveAway();
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const socketPath = join(dir, 'cni.sock');
  const first = await takeNode(socketPath);
  writeFileSync(socketPath, '');
  const log = { info() {}, warn() {}, error() {} };
  const starting = startCniServer({ socketPath, stateDir: dir, nodeNetwork: () => ROUTED, log });
  for (let i = 0; i < 200; i++) await turn();
  assert.ok(lstatSync(socketPath).isFile());
  first[Symbol.dispose]();
  await using _ = await starting;
  assert.ok(lstatSync(socketPath).isSocket());
});

test('an agent whose socket was removed serves again', { skip }, async (t) => {
  moveAway();
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const socketPath = join(dir, 'cni.sock');
  const { promise: said, resolve } = Promise.withResolvers<void>();
  const log = { info() {}, warn: () => resolve(), error() {} };
  await using _ = await startCniServer({ socketPath, stateDir: dir, nodeNetwork: () => ROUTED, log });
  rmSync(socketPath);
  await said;
  const { exit, stdout } = await runShim(socketPath, { CNI_COMMAND: 'STATUS' }, CONF);
  assert.equal(exit, 0, stdout);
});
