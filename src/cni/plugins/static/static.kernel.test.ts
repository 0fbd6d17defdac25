import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { noReference, ourNode, referenceNode } from '#cni/testing/differential.ts';

const skip = noReference('static');

const ADDRESSES = [{ address: '10.9.0.5/24', gateway: '10.9.0.1' }, { address: 'fd00:9::5/64' }];
const IPAM = {
  type: 'static',
  addresses: ADDRESSES,
  routes: [{ dst: '0.0.0.0/0' }, { dst: '10.1.0.0/16', gw: '10.9.0.9' }],
  dns: { domain: 'x.org', search: ['x.org'] },
};

const CASES: Readonly<Record<string, { conf?: object; ipam?: object; args?: string }>> = {
  'as configured': {},
  'IP and GATEWAY of CNI_ARGS beside': { args: 'IP=10.8.0.5/24;GATEWAY=10.8.0.1' },
  'several in CNI_ARGS, none configured': {
    ipam: { addresses: [] },
    args: 'IP=10.8.0.5/24,fd00:8::5/64;GATEWAY=10.8.0.1,fd00:8::1',
  },
  'args.cni.ips in place': { conf: { args: { cni: { ips: ['10.7.0.5/24'] } } } },
  'capability ips in place': { conf: { runtimeConfig: { ips: ['10.6.0.5/24'] } }, args: 'IP=10.8.0.5/24' },
};

for (const [name, { conf, ipam, args = '' }] of Object.entries(CASES)) {
  test(`static as the reference: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    using ours = ourNode(b);
    using theirs = referenceNode();
    const all = { cniVersion: '1.0.0', name: 'net', type: 'static', ...conf, ipam: { ...IPAM, ...ipam } };
    const [one, other] = await Promise.all([ours, theirs].map((node) => node.cni('ADD', all, { CNI_ARGS: args })));
    assert.equal(one?.exit, 0, one?.stdout);
    assert.deepEqual(one?.json, other?.json);
    assert.equal((await ours.cni('CHECK', { ...all, prevResult: one?.json }, { CNI_ARGS: args })).exit, 0);
    const changed = { ...one?.json, ips: [{ address: '10.1.1.1/8' }] };
    assert.equal((await ours.cni('CHECK', { ...all, prevResult: changed }, { CNI_ARGS: args })).json?.code, 112);
    assert.equal((await ours.cni('DEL', all)).exit, 0);
    assert.equal((await ours.cni('STATUS', { ...all, cniVersion: '1.1.0' })).exit, 0);
  });
}

test('static names the key that is wrong', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = (ipam: object) => ({
    cniVersion: '1.0.0',
    name: 'net',
    type: 'static',
    ipam: { type: 'static', ...ipam },
  });
  const said = async (ipam: object) => String((await node.cni('ADD', conf(ipam))).json?.msg);
  assert.match(await said({ addresses: [{ address: '10.9.0.5' }] }), /ipam\.addresses\[0\]\.address .*"10\.9\.0\.5"/);
  assert.match(await said({ addresses: [{ address: '10.9.0.5/24', gateway: 'x' }] }), /ipam\.addresses\[0\]\.gateway/);
  assert.match(await said({ addresses: [{ address: '10.9.0.5/24', gateway: 'fd00::1' }] }), /must fit 10\.9\.0\.5\/24/);
  assert.match(await said({ addresses: [], routes: [{ dst: 'x' }] }), /ipam\.routes\[0\]\.dst/);
});
