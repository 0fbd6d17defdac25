/** `polder api backup` and `restore` on a running lab. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { leftovers, testLab } from '../support/lab.ts';
import { polder } from '../support/polder.ts';

describe('polder api', { timeout: 180_000 }, () => {
  it('backs a running lab up and restores it: pods since are ended, those of the backup run on with their addresses', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'polder-backup-'));
    const file = join(folder, 'lab.db');
    await using lab = await testLab('up', '--nodes', '1');
    try {
      await lab.kubectl(
        'kubectl run stays --image=nginx --restart=Never && kubectl wait pod/stays --for=condition=Ready',
      );
      const address = await lab.kubectl("kubectl get pod stays -o jsonpath='{.status.podIP}'");
      const saved = await polder(['api', 'backup', file, '--name', lab.name, '-o', 'json']);
      assert.equal(saved.status, 0, saved.stderr);
      assert.ok(JSON.parse(saved.stdout).objects > 10, saved.stdout);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      await lab.kubectl('kubectl run later --image=nginx --restart=Never && kubectl create namespace later');
      await lab.kubectl('kubectl wait pod/later --for=condition=Ready');

      const restored = await polder(['api', 'restore', file, '--name', lab.name, '-y']);
      assert.equal(restored.status, 0, restored.stderr);
      assert.equal((await lab.tryKubectl('kubectl get namespace later')).status, 1);
      assert.equal((await lab.tryKubectl('kubectl get pod later')).status, 1);
      assert.equal(await lab.kubectl("kubectl get pod stays -o jsonpath='{.status.podIP}'"), address);
      assert.equal((await lab.kubectl('kubectl exec stays -- echo here')).trim(), 'here');
      await lab.kubectl(
        'kubectl run again --image=nginx --restart=Never && kubectl wait pod/again --for=condition=Ready',
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    await lab.must('down', '-y');
    assert.deepEqual(leftovers(lab.name), []);
  });

  it('says in one sentence what it cannot do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'polder-backup-'));
    const file = join(folder, 'note.txt');
    writeFileSync(file, 'not a backup');
    await using lab = await testLab();
    try {
      const none = await polder(['api', 'backup', join(folder, 'x'), '--name', lab.name]);
      assert.match(none.stderr, /no lab/i);
      await lab.must('up', '--nodes', '1');
      const there = await polder(['api', 'backup', file, '--name', lab.name]);
      assert.match(there.stderr, /is there already\.\s.*--force/);
      const unusable = await polder(['api', 'restore', file, '--name', lab.name, '-y']);
      assert.match(unusable.stderr, /Cannot use .* as a backup/);
      assert.deepEqual([none.status !== 0, there.status, unusable.status], [true, 76, 75]);
      await lab.kubectl('kubectl get nodes');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
