import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { named, noReference, ourNode, referenceNode } from '#cni/testing/differential.ts';

const skip = noReference('bridge', 'host-local');

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'pt-bridge-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const RANGES = {
  ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
const V4 = { subnet: '10.9.0.0/24' };

const CASES: Readonly<Record<string, { conf: object; ipam?: object }>> = {
  'the plainest': { conf: {}, ipam: V4 },
  'a gateway': { conf: { isGateway: true }, ipam: { ...V4, routes: [{ dst: '0.0.0.0/0' }] } },
  'a default gateway, both families': { conf: { isDefaultGateway: true, mtu: 1400 }, ipam: { ...RANGES, routes: [] } },
  'hairpin, routes of both families': { conf: { isGateway: true, hairpinMode: true }, ipam: RANGES },
  promiscuous: { conf: { isGateway: true, promiscMode: true }, ipam: V4 },
  'layer 2': { conf: {} },
};

for (const [name, { conf, ipam }] of Object.entries(CASES)) {
  test(`bridge as the reference: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    using ours = ourNode(b);
    using theirs = referenceNode();
    const states = [];
    for (const node of [theirs, ours]) {
      const dataDir = folder(t);
      const all = {
        cniVersion: '1.0.0',
        name: 'net',
        type: 'bridge',
        bridge: 'br7',
        ...conf,
        ...(ipam && { ipam: { type: 'host-local', dataDir, ...ipam } }),
      };
      const added = await node.cni('ADD', all);
      assert.equal(added.exit, 0, added.stdout);
      const state = node.state();
      const checked = await node.cni('CHECK', { ...all, prevResult: added.json });
      // The reference calls an IPAM plugin that nobody named.
      if (ipam || node === ours) assert.equal(checked.exit, 0, checked.stdout);
      const deleted = await node.cni('DEL', { ...all, prevResult: added.json });
      assert.equal(deleted.exit, 0, deleted.stdout);
      const again = await node.cni('DEL', all, { CNI_NETNS: '' });
      assert.equal(again.exit, 0, again.stdout);
      states.push({ result: named(added.json), state, after: node.state() });
    }
    assert.deepEqual(states[1], states[0]);
  });
}
