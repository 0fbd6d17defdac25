import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { bothLives, noReference } from '#cni/testing/differential.ts';

const skip = noReference('ptp', 'host-local');

const V4 = { subnet: '10.9.0.0/24', routes: [{ dst: '0.0.0.0/0' }] };
const BOTH = {
  ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

for (const [name, { conf, ipam }] of Object.entries({
  'one address': { conf: {}, ipam: V4 },
  'both families': { conf: { mtu: 1400 }, ipam: BOTH },
  'dns of its own': { conf: { dns: { nameservers: ['10.1.1.1'] } }, ipam: { ...V4, routes: [] } },
})) {
  test(`ptp as the reference: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    const { ours, theirs } = await bothLives(b, (dataDir) => ({
      conf: { type: 'ptp', ...conf, ipam: { type: 'host-local', dataDir, ...ipam } },
    }));
    assert.deepEqual(ours, theirs);
  });
}
