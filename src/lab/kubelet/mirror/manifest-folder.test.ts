import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManifestFolder } from '#lab/kubelet/mirror/manifest-folder.ts';

const manifest = (name: string, image = 'busybox') =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {containers: [{name: c, image: ${image}}]}}`;

/** What a folder tells, and waiting for it to tell something. */
class Told {
  pods: string[] = [];
  bad: string[] = [];
  #wake = () => {};

  take(pods: string[]): void {
    this.pods = pods;
    this.#wake();
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }
}

test('ManifestFolder tells of each file as it comes, changes and goes, and of bad ones once', {
  timeout: 20_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pt-manifests-'));
  const put = (name: string, text: string) => {
    writeFileSync(join(dir, `.${name}`), text);
    renameSync(join(dir, `.${name}`), join(dir, name));
  };
  try {
    put('a.yaml', manifest('a'));
    put('bad.yaml', 'kind: Nothing');
    const told = new Told();
    using _folder = new ManifestFolder(dir, 'node1', {
      pods: (pods) => told.take(pods.map(({ metadata, spec }) => `${metadata.name} ${spec.containers[0]?.image}`)),
      bad: (path, why) => void told.bad.push(`${path.slice(dir.length + 1)}: ${why}`),
    });
    await told.until(() => told.pods.length === 1);
    assert.deepEqual(told.pods, ['a-node1 busybox']);
    put('b.yaml', manifest('b'));
    await told.until(() => told.pods.length === 2);
    put('a.yaml', manifest('a', 'nginx'));
    await told.until(() => told.pods.includes('a-node1 nginx'));
    put('c.yaml', manifest('a', 'third'));
    put('d.yaml', manifest('d'));
    await told.until(() => told.pods.length === 3);
    assert.deepEqual(told.pods, ['a-node1 nginx', 'b-node1 busybox', 'd-node1 busybox'], 'the first of a name counts');
    for (const name of ['a.yaml', 'b.yaml', 'c.yaml']) rmSync(join(dir, name));
    await told.until(() => told.pods.length === 1);
    assert.deepEqual(told.bad, ['bad.yaml: it is no Pod of apiVersion v1']);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
