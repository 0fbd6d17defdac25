/** A whole lab of the profile `wireguard`: the network model with real pods, and that all of it went encrypted. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EncryptionStatus } from '#lab/wireguard.ts';
import { kernelHas } from '#sync/features.ts';
import { leftovers, testLab } from '../../support/lab.ts';
import { noLab, polder, ROOT } from '../../support/polder.ts';

const noNative = existsSync(join(ROOT, 'native/bin/cni-shim')) ? false : 'the native programs are not built';

test('a lab whose nodes encrypt keeps the network model, and lab down takes all of it back', {
  skip: noLab() || noNative,
  // Emulated it takes six to eight minutes.
  timeout: 18 * 60_000,
}, async (t) => {
  if (!kernelHas('wireguard')) return t.skip('this kernel has no interfaces of kind wireguard');
  const begun = Date.now();
  const tell = (what: string) => t.diagnostic(`${what} after ${Math.round((Date.now() - begun) / 1000)} s`);
  await using lab = await testLab('up', '--profile', 'wireguard', '--nodes', '2', '--timeout', '900', '-y');
  tell('up');
  const claims = JSON.parse(await lab.must('verify', '--timeout', '600', '--json')) as { id: string; ok: boolean }[];
  tell('verified');
  assert.deepEqual(
    claims.filter(({ ok }) => !ok),
    [],
  );
  assert.ok(claims.length >= 6, JSON.stringify(claims));

  const { stdout, stderr } = await polder(['wireguard', 'status', '--name', lab.name, '-o', 'json']);
  const { ways, plainPods, problems } = JSON.parse(
    stdout || `{"problems":${JSON.stringify(stderr)}}`,
  ) as EncryptionStatus;
  assert.deepEqual([plainPods, problems], [[], []], stdout + stderr);
  assert.deepEqual(ways.map(({ from, to }) => `${from} ${to}`).sort(), ['node1 node2', 'node2 node1']);
  for (const way of ways) {
    assert.ok(way.lastHandshake !== undefined && way.rxBytes > 0 && way.txBytes > 0, JSON.stringify(way));
  }

  await lab.must('down', '-y');
  tell('down');
  assert.deepEqual(leftovers(lab.name), []);
});
