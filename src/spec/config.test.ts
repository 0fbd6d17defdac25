import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PROFILE_NAMES, PROFILES } from '#spec/cluster.ts';
import { CONFIG_TABLE, configData, nearest, parseConfig } from '#spec/config.ts';

test('parseConfig takes the table’s defaults for what is absent or empty', () => {
  const expected = {
    profile: PROFILES.vxlan,
    clusterCidrs: ['10.244.0.0/16'],
    masquerade: true,
    mtu: 0,
    fastPath: false,
  };
  for (const data of [undefined, {}, { mtu: '', profile: ' ' }]) {
    assert.deepEqual(parseConfig(data), { kind: 'config', config: expected, warnings: [] });
  }
});

test('parseConfig reads every key', () => {
  const data = {
    profile: 'flannel-host-gw',
    clusterCIDR: '10.1.0.0/16',
    masquerade: 'false',
    mtu: '1400',
    fastPath: 'true',
  };
  const result = parseConfig(data);
  assert.ok(result.kind === 'config');
  assert.deepEqual(configData(result.config), data);
});

test('parseConfig names every key that is wrong, and why', () => {
  const result = parseConfig({ profile: 'vxlam', clusterCIDR: '10.244.0.1/16', masquerade: 'yes', mtu: '100' });
  assert.ok(result.kind === 'invalid');
  assert.deepEqual(
    result.problems.map((p) => `${p.key}: ${p.message}`),
    [
      'profile: "vxlam" is no profile (did you mean "vxlan"?); there are vxlan, flannel-vxlan, flannel-host-gw',
      'clusterCIDR: "10.244.0.1/16" is no network such as 10.244.0.0/16 with host bits zero',
      'masquerade: "yes" is neither true nor false',
      'mtu: "100" is no MTU: 0 (automatic) or 576 to 65535 bytes',
    ].map((line) => line.replace('vxlan, flannel-vxlan, flannel-host-gw', PROFILE_NAMES.join(', '))),
  );
});

test('parseConfig warns of unknown keys with the nearest known one', () => {
  assert.deepEqual(parseConfig({ clusterCidr: '10.0.0.0/8', banana: '1' }).warnings, [
    'unknown key "clusterCidr" is ignored (did you mean "clusterCIDR"?); known are profile, clusterCIDR, masquerade, mtu, fastPath',
    'unknown key "banana" is ignored; known are profile, clusterCIDR, masquerade, mtu, fastPath',
  ]);
});

test('parseConfig reads what configData wrote, and answers anything', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...Object.keys(CONFIG_TABLE), 'x'), fc.string()), (data) => {
      const result = parseConfig(data);
      if (result.kind === 'config') {
        assert.deepEqual(parseConfig(configData(result.config)), { ...result, warnings: [] });
      }
    }),
  );
});

test('nearest finds slips and leaves other words alone', () => {
  assert.equal(nearest('masqerade', ['mtu', 'masquerade']), 'masquerade');
  assert.equal(nearest('ipam', ['mtu', 'masquerade']), undefined);
  assert.equal(nearest('mtu', []), undefined);
});
