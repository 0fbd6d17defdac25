import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadPlugin, NEED_AGENT } from '#cni/daemonless/load.ts';
import { PLUGINS } from '#cni/plugins/table.ts';

test('loadPlugin finds every plugin of the agent by its place', async () => {
  for (const [type, plugin] of PLUGINS) {
    if (NEED_AGENT.includes(type)) continue;
    assert.equal(await loadPlugin(type), plugin, type);
  }
});

test('loadPlugin finds nothing outside the plugins', async () => {
  for (const type of ['', '..', '../polder', 'nothing', 'Bridge'])
    assert.equal(await loadPlugin(type), undefined, type);
});
