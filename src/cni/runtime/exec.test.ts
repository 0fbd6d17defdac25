import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runWithFew } from '#cni/testing/few-descriptors.ts';

test('runPlugin without descriptors left fails with the reason, and the process lives on', async () => {
  const { code, stdout, stderr } = await runWithFew(`
    import { runPlugin } from '#cni/runtime/exec.ts';
    import { takeDescriptors } from '#cni/testing/few-descriptors.ts';
    const run = { path: '/bin/cat', plugin: 'cat', env: { CNI_COMMAND: 'ADD' }, stdin: 'read', timeoutMs: 10_000 };
    const giveBack = takeDescriptors();
    const failed = await runPlugin(run).catch((error) => error);
    giveBack();
    console.log(failed.code, failed.message, await runPlugin(run));
  `);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'cni-plugin-failed CNI plugin cat failed at ADD: spawn /bin/cat EMFILE read\n');
});
