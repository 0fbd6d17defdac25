import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noBed } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { good, multiNode } from '#cni/testing/multi-node.ts';

const skip = noBed();

test('polder-multi passes a device and a GUID to a plugin that declares them, and refuses them else', {
  skip,
}, async (t) => {
  const { b, network, bridgeOn, withNetworks, env, dir } = await multiNode(t);
  const [bin, got] = [join(dir, 'bin'), join(dir, 'stdin')];
  mkdirSync(bin);
  const script = `#!/bin/sh\ncat >${got}.$CNI_COMMAND\n[ $CNI_COMMAND != ADD ] || echo '{ "cniVersion": "1.0.0" }'\n`;
  writeFileSync(join(bin, 'ib-sriov'), script, { mode: 0o755 });
  const capabilities = { infinibandGUID: true, deviceID: true };
  network('ib', { cniVersion: '1.0.0', type: 'ib-sriov', capabilities });
  network('blue', bridgeOn('br-blue', '10.71.0.0/24'));
  const asked = { 'infiniband-guid': 'c2:11:22:33:44:55:66:77', deviceID: '0000:03:02.3' };

  const conf = withNetworks(JSON.stringify([{ name: 'ib', ...asked }]));
  good(await b.cni('ADD', { ...env, CNI_PATH: bin }, conf));
  const { runtimeConfig } = JSON.parse(readFileSync(`${got}.ADD`, 'utf8'));
  assert.deepEqual(runtimeConfig, { infinibandGUID: asked['infiniband-guid'], deviceID: asked.deviceID });
  good(await b.cni('DEL', { ...env, CNI_PATH: bin }, conf));

  const deaf = await b.cni('ADD', env, withNetworks(JSON.stringify([{ name: 'blue', ...asked }])));
  assert.equal(deaf.json?.code, 7);
  assert.match(String(deaf.json?.msg), /asks for infinibandGUID and deviceID, but no plugin declares/);
});

test('polder-multi takes an empty cniVersion of a definition for none, and says code 1 of a foreign one', {
  skip,
}, async (t) => {
  const { b, pod, network, bridgeOn, withNetworks, env } = await multiNode(t);
  const versions = (more: object) => network('blue', bridgeOn('br-blue', '10.71.0.0/24', more));
  const conf = withNetworks('blue');
  for (const more of [{ cniVersion: '' }, { cniVersion: '9.9.9', cniVersions: ['9.9.9', '1.0.0'] }]) {
    versions(more);
    good(await b.cni('ADD', env, conf));
    assert.match(sh('ip -o addr show net1', pod), /10\.71\.0\.2/);
    good(await b.cni('DEL', env, conf));
  }
  versions({ cniVersion: '9.9.9' });
  const { json } = await b.cni('ADD', env, conf);
  assert.equal(json?.code, 1);
  assert.match(String(json?.msg), /CNI version 9\.9\.9 is not supported by the plugin polder-multi for network blue/);
});
