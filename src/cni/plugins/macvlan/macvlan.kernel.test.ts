import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, ROUTED } from '#cni/testing/bed.ts';
import { bothLives, noReference, ourNode } from '#cni/testing/differential.ts';

const skip = noReference('macvlan', 'host-local');

/** A port that the node has towards the rest of the world. */
const UPLINK =
  'ip link add up0 type veth peer name up1 && ip link set up1 up && ip link set up0 up && ip addr add 192.0.2.1/24 dev up0 && ip route add default via 192.0.2.2';
const V4 = { subnet: '10.9.0.0/24', routes: [{ dst: '0.0.0.0/0' }] };

const CASES = {
  'by the default route': {},
  'private, a smaller MTU': { master: 'up0', mode: 'private', mtu: 1400 },
  'vepa, a hardware address': { master: 'up0', mode: 'vepa', runtimeConfig: { mac: '02:11:22:33:44:55' } },
} as const;

for (const [name, conf] of Object.entries(CASES)) {
  test(`macvlan as the reference: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    const { ours, theirs } = await bothLives(b, (dataDir) => ({
      prepare: UPLINK,
      conf: { type: 'macvlan', ...conf, ipam: { type: 'host-local', dataDir, ...V4 } },
    }));
    assert.deepEqual(ours, theirs);
  });
}

test('macvlan without addresses as the reference', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const { ours, theirs } = await bothLives(b, () => ({
    prepare: UPLINK,
    conf: { type: 'macvlan', master: 'up0' },
    theirCheck: 'it calls an IPAM plugin that nobody named',
  }));
  assert.deepEqual(ours, theirs);
});

test('macvlan: refusals leave nothing; CHECK and STATUS say why', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const ipam = { type: 'host-local', dataDir: join(b.dir, 'ipam'), ...V4 };
  const conf = { cniVersion: '1.1.0', name: 'net', type: 'macvlan', master: 'up0', ipam };
  const said = async (command: string, more: object = {}) => {
    const { json } = await node.cni(command, { ...conf, ...more });
    return json?.code === undefined ? 'ok' : `${json.code} ${json.msg}`;
  };
  assert.match(await said('ADD'), /^7 .*master must be an interface that is there, but it is "up0"/);
  assert.match(await said('STATUS'), /^50 /);
  assert.match(await said('ADD', { master: '' }), /^7 .*no default route/);
  node.sh(UPLINK);
  assert.equal(await said('STATUS'), 'ok');
  assert.match(await said('ADD', { mtu: 9000 }), /^7 .*mtu must not be above 1500/);
  assert.match(await said('ADD', { mode: 'x' }), /^7 .*mode must be one of/);
  assert.match(await said('ADD', { ipam: { ...ipam, subnet: '10.9.0.0/31' } }), /^7 /);
  assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0|pc/);
  // The host's own interface of the same name is not in the way.
  node.sh('ip link add eth0 type veth peer name eth1');
  const { json: prevResult } = await node.cni('ADD', conf);
  assert.equal(await said('CHECK', { prevResult }), 'ok');
  assert.match(await said('CHECK', { prevResult, mode: 'vepa' }), /^112 .*in mode bridge, not vepa/);
  assert.match(await said('CHECK', { prevResult, master: 'up1' }), /^112 .*does not stand on up1/);
  assert.match(await said('ADD'), /^111 /);
  assert.doesNotMatch(node.sh('ip link', 'pod'), /pc/);
  assert.equal(await said('DEL'), 'ok');
  assert.equal(await said('ADD'), 'ok');
  assert.equal(await said('DEL'), 'ok');
  assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0|pc/);
  assert.equal(await said('DEL'), 'ok');
});

test('macvlan linkInContainer: it stands on an interface of the pod', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = { cniVersion: '1.1.0', name: 'net', type: 'macvlan', master: 'in0', linkInContainer: true };
  assert.equal((await node.cni('ADD', conf)).json?.code, 7);
  node.sh('ip link add in0 type veth peer name in1 && ip link set in0 up', 'pod');
  const { exit, stdout, json: prevResult } = await node.cni('ADD', conf);
  assert.equal(exit, 0, stdout);
  const links: { ifname: string; link?: string }[] = JSON.parse(node.sh('ip -j link', 'pod'));
  assert.equal(links.find(({ ifname }) => ifname === 'eth0')?.link, 'in0');
  assert.equal((await node.cni('CHECK', { ...conf, prevResult })).exit, 0);
  assert.equal((await node.cni('STATUS', conf)).exit, 0);
  assert.equal((await node.cni('DEL', conf)).exit, 0);
  assert.doesNotMatch(node.sh('ip -br link', 'pod'), /eth0/);
});

test('macvlan: an alias that somebody gave it in the pod does not keep DEL from removing the interface', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  node.sh(UPLINK);
  const conf = { cniVersion: '1.1.0', name: 'net', type: 'macvlan', master: 'up0' };
  assert.equal((await node.cni('ADD', conf)).exit, 0);
  node.sh('ip link set eth0 alias uplink', 'pod');
  assert.equal((await node.cni('DEL', conf)).exit, 0);
  assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0/);
});
