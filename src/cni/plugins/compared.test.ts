/** Where each plugin type of the reference set is held beside ours: one life, one configuration, both nodes' states. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLUGINS } from '#cni/plugins/table.ts';

const REFERENCE = '/usr/lib/cni';

/** Type -> test file, and how the titles of its tests begin. Those of a virtual machine are for what kernels may lack. */
const COMPARED: Readonly<Record<string, readonly [file: string, title: string]>> = {
  bandwidth: ['bandwidth/bandwidth.kernel.test.ts', 'the reference plugin makes the same'],
  bridge: ['bridge/bridge.kernel.test.ts', 'bridge as the reference: '],
  'bridge, VLANs': ['bridge/bridge-vlan.vm.test.ts', 'bridge as the reference: '],
  dhcp: ['dhcp/dhcp-reference.kernel.test.ts', 'dhcp as the reference: '],
  firewall: ['firewall/firewall.kernel.test.ts', 'the reference plugin lets the same through'],
  'host-device': ['host-device/host-device.kernel.test.ts', 'host-device as the reference: '],
  'host-local': ['host-local/host-local.kernel.test.ts', 'host-local as the reference: '],
  ipvlan: ['stacked.vm.test.ts', 'as the reference: '],
  loopback: ['loopback/loopback.kernel.test.ts', 'loopback as the reference'],
  macvlan: ['macvlan/macvlan.kernel.test.ts', 'macvlan as the reference: '],
  portmap: ['chains.kernel.test.ts', 'portmap gives the reference plugin’s result'],
  ptp: ['ptp/ptp.kernel.test.ts', 'ptp as the reference: '],
  sbr: ['sbr/sbr.kernel.test.ts', 'the reference plugin makes the same'],
  static: ['static/static.kernel.test.ts', 'static as the reference: '],
  tuning: ['tuning/tuning.kernel.test.ts', 'what the reference plugin saved is put back by ours'],
  vlan: ['stacked.vm.test.ts', 'as the reference: '],
  vrf: ['vrf/vrf-reference.vm.test.ts', 'vrf as the reference'],
};

test('every plugin type of the reference set is ours, too, and compared with it', {
  skip: !existsSync(REFERENCE) && 'containernetworking-plugins is not installed',
}, () => {
  const types = readdirSync(REFERENCE);
  assert.ok(types.length > 0);
  assert.deepEqual(
    types.filter((type) => !COMPARED[type]),
    [],
    'not compared',
  );
  assert.deepEqual(
    types.filter((type) => !PLUGINS.has(type)),
    [],
    'not ours',
  );
});

for (const [type, [file, title]] of Object.entries(COMPARED)) {
  test(`the comparison of ${type} is there: ${file}`, () => {
    const source = readFileSync(join(import.meta.dirname, file), 'utf8');
    assert.match(source, /reference/i);
    const titles = [...source.matchAll(/^\s*test\(\s*['`](.*)/gm)].map(([, text]) => text ?? '');
    assert.ok(
      titles.some((text) => text.startsWith(title)),
      `a test whose title begins with: ${title}`,
    );
  });
}
