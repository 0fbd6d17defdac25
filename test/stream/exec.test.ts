import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeCluster } from './fake-cluster.ts';
import { KUBECTLS, run } from './kubectl.ts';
import { LocalBackend } from './local-backend.ts';

const skip = KUBECTLS.length === 0 ? 'no kubectl is installed' : false;

for (const kubectl of KUBECTLS) {
  test(`${kubectl.name} exec gives output, stderr apart, and the exit code`, { skip }, async () => {
    await using cluster = await startFakeCluster(new LocalBackend());
    const result = await run(kubectl, cluster, ['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.equal(result.stdout.toString(), 'out\n');
    assert.match(result.stderr, /^err\n/);
    assert.match(result.stderr, /exit code 7/);
    assert.equal(result.code, 7);
  });

  test(`${kubectl.name} exec -i passes stdin to its end`, { skip }, async () => {
    await using cluster = await startFakeCluster(new LocalBackend());
    const result = await run(kubectl, cluster, ['exec', '-i', 'web', '--', 'cat'], 'hi\n');
    assert.deepEqual([result.stdout.toString(), result.code, result.stderr], ['hi\n', 0, '']);
  });
}
