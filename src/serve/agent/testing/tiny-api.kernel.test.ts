import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiClient } from '#feed/client.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import { openThreadNetns } from '#kernel/netns/enter.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { TinyApi } from '#serve/agent/testing/tiny-api.ts';
import { NODES } from '#spec/k8s.ts';

test('who lists and then watches from there misses nothing that happens in between', { skip: noKernel }, async () => {
  const api = new TinyApi();
  const own = openThreadNetns();
  try {
    using client = new ApiClient({ server: await api.listen(own) });
    api.putNode('node1', '192.168.1.101', '10.244.1.0/24');
    const { metadata } = await client.list(NODES);
    api.putNode('node2', '192.168.1.102', '10.244.2.0/24');
    const resourceVersion = metadata?.resourceVersion ?? assert.fail('no version');
    for await (const event of client.watch(NODES, { resourceVersion, signal: AbortSignal.timeout(10_000) })) {
      assert.equal(event.type === 'ADDED' && event.object.metadata.name, 'node2');
      return;
    }
    assert.fail('nothing was told');
  } finally {
    api.close();
    closeFd(own);
  }
});
