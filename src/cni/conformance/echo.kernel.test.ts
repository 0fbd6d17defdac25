import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answered, seenAs, serve, silent } from '#cni/conformance/echo.ts';
import { must } from '#cni/conformance/exec.ts';
import { noSocat } from '#cni/testing/echo.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel || noSocat;

test('a server of the suite tells every asker its address, many at once, too', { skip }, async () => {
  using netns = scratchNetns();
  await must(netns, ['ip', 'link', 'set', 'lo', 'up']);
  for (const protocol of ['tcp', 'udp'] as const) {
    using _ = await serve(netns, protocol);
    for (const address of ['127.0.0.1', '::1']) {
      // Of datagrams socat takes one after another.
      const asked = Array.from({ length: protocol === 'tcp' ? 100 : 1 }, () => seenAs(netns, protocol, address, 80));
      assert.deepEqual(new Set(await Promise.all(asked)), new Set([address]), protocol);
    }
  }
});

test('nobody answers where no server is, or where the packets go nowhere', { skip }, async () => {
  using netns = scratchNetns();
  await must(netns, ['ip', 'link', 'set', 'lo', 'up']);
  for (const protocol of ['tcp', 'udp'] as const) {
    assert.equal(await silent(netns, protocol, '127.0.0.1', 80), true, `${protocol}, no server`);
    assert.equal(await silent(netns, protocol, '192.0.2.1', 80), true, `${protocol}, no route`);
    assert.equal(await answered(netns, protocol, '127.0.0.1', 80), false, `${protocol}, no server, with patience`);
  }
});
