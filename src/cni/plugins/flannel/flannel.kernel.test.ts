import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BRIDGED, bed, noBed, pathOf, type ShimAnswer } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noBed();
const SUBNET_ENV = `FLANNEL_NETWORK=10.99.0.0/16
FLANNEL_SUBNET=10.99.7.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;

async function node(t: TestContext, text = SUBNET_ENV) {
  const b = await bed(t, BRIDGED);
  const pod = scratchNetns();
  t.after(() => pod.close());
  const subnetFile = join(b.dir, 'subnet.env');
  writeFileSync(subnetFile, text);
  const conf = {
    cniVersion: '1.1.0',
    name: 'cbr0',
    type: 'flannel',
    subnetFile,
    dataDir: join(b.dir, 'flannel'),
    ipam: { dataDir: join(b.dir, 'networks') },
    delegate: { hairpinMode: true, isDefaultGateway: true },
  };
  const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
  return { b, pod, conf, env };
}

function good({ exit, stdout, json }: ShimAnswer): Record<string, unknown> {
  assert.equal(exit, 0, stdout);
  return json ?? {};
}

test('flannel makes the pod’s network of subnet.env by bridge and host-local, and undoes it', { skip }, async (t) => {
  const { b, pod, conf, env } = await node(t);
  const result = good(await b.cni('ADD', env, conf));
  const [ip] = result.ips as { address: string; gateway: string }[];
  assert.deepEqual(ip && [ip.address, ip.gateway], ['10.99.7.2/24', '10.99.7.1']);
  assert.match(sh('ip -o link show eth0', pod), /mtu 1450/);
  assert.match(sh('ip route', pod), /default via 10\.99\.7\.1/);
  assert.match(sh('ip route', pod), /10\.99\.0\.0\/16 via 10\.99\.7\.1/);
  assert.match(sh('bridge -d link show'), /hairpin on/);
  const saved = JSON.parse(readFileSync(join(b.dir, 'flannel/c1'), 'utf8'));
  assert.deepEqual(
    [saved.type, saved.name, saved.mtu, saved.ipMasq, saved.isGateway],
    ['bridge', 'cbr0', 1450, false, true],
  );

  good(await b.cni('CHECK', env, { ...conf, prevResult: result }));
  sh('ip link set eth0 down', pod);
  const broken = await b.cni('CHECK', env, { ...conf, prevResult: result });
  assert.equal(broken.exit, 1, broken.stdout);
  good(await b.cni('STATUS', {}, conf));

  // The subnet may be another by the time of DEL, and the runtime may know no result.
  writeFileSync(conf.subnetFile, SUBNET_ENV.replace('10.99.7.1', '10.99.8.1'));
  good(await b.cni('DEL', { ...env, CNI_NETNS: '' }, conf));
  good(await b.cni('DEL', env, conf));
  assert.equal(existsSync(join(b.dir, 'flannel/c1')), false);
  assert.equal(existsSync(join(b.dir, 'networks/cbr0/10.99.7.2')), false);
});

test('portmap comes after flannel, as in the conflist that Flannel installs', { skip }, async (t) => {
  const { b, conf, env } = await node(t);
  const prevResult = good(await b.cni('ADD', env, conf));
  const portMappings = [{ hostPort: 18080, containerPort: 80, protocol: 'tcp' }];
  const ports = {
    ...conf,
    type: 'portmap',
    capabilities: { portMappings: true },
    runtimeConfig: { portMappings },
    prevResult,
  };
  assert.deepEqual(good(await b.cni('ADD', env, ports)), prevResult);
  assert.match(sh('nft list ruleset'), /18080/);
  good(await b.cni('CHECK', env, ports));
  good(await b.cni('DEL', env, ports));
  assert.doesNotMatch(sh('nft list ruleset'), /18080/);
  good(await b.cni('DEL', env, { ...conf, prevResult }));
});

test('flannel calls a delegate that is not ours along CNI_PATH, and undoes it', { skip }, async (t) => {
  const { b, conf, env } = await node(t);
  const bin = join(b.dir, 'bin');
  mkdirSync(bin);
  const log = join(b.dir, 'calls');
  const script = `#!/bin/sh
echo "$CNI_COMMAND $CNI_IFNAME" >>${log}; cat >${log}.$CNI_COMMAND
[ "$CNI_COMMAND" != ADD ] || { echo '{ "cniVersion": "1.1.0", "code": 7, "msg": "it will not" }'; exit 1; }
`;
  writeFileSync(join(bin, 'foreign'), script, { mode: 0o755 });
  const answer = await b.cni('ADD', { ...env, CNI_PATH: bin }, { ...conf, delegate: { type: 'foreign', key: 'kept' } });
  assert.equal(answer.exit, 1);
  assert.match(String(answer.json?.msg), /foreign.*it will not/);
  assert.equal(readFileSync(log, 'utf8'), 'ADD eth0\nDEL eth0\n');
  const got = JSON.parse(readFileSync(`${log}.ADD`, 'utf8'));
  assert.deepEqual([got.key, got.mtu, got.isGateway, got.ipam.type], ['kept', 1450, undefined, 'host-local']);
  assert.equal(existsSync(join(b.dir, 'flannel/c1')), false);
});

test('flannel refuses a second ADD, which leaves the first and its file alone', { skip }, async (t) => {
  const { b, pod, conf, env } = await node(t);
  const result = good(await b.cni('ADD', env, conf));
  const again = await b.cni('ADD', env, conf);
  assert.deepEqual([again.exit, again.json?.code], [1, 111], again.stdout);
  good(await b.cni('CHECK', env, { ...conf, prevResult: result }));
  assert.equal(existsSync(join(b.dir, 'flannel/c1')), true);
  good(await b.cni('DEL', env, conf));
  sh('ip link add eth0 type bridge', pod);
  assert.equal((await b.cni('ADD', env, conf)).exit, 1);
  assert.match(sh('ip -d link show eth0', pod), /bridge/);
});

test('flannel GC removes what is not named', { skip }, async (t) => {
  const { b, conf, env } = await node(t);
  good(await b.cni('ADD', env, conf));
  good(await b.cni('GC', {}, { ...conf, 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] }));
  assert.equal(existsSync(join(b.dir, 'flannel/c1')), true);
  good(await b.cni('GC', {}, { ...conf, 'cni.dev/valid-attachments': [] }));
  assert.equal(existsSync(join(b.dir, 'flannel/c1')), false);
  assert.equal(existsSync(join(b.dir, 'networks/cbr0/10.99.7.2')), false);
});

test('flannel GC needs no subnet.env: what the ADDs saved says where to clean up', { skip }, async (t) => {
  const { b, pod, conf, env } = await node(t);
  const living = scratchNetns();
  t.after(() => living.close());
  good(await b.cni('ADD', env, conf));
  good(await b.cni('ADD', { ...env, CNI_CONTAINERID: 'c2', CNI_NETNS: pathOf(living) }, conf));
  const valid = { 'cni.dev/valid-attachments': [{ containerID: 'c2', ifname: 'eth0' }] };
  for (const write of [() => rmSync(conf.subnetFile), () => writeFileSync(conf.subnetFile, 'FLANNEL_MTU=?')]) {
    write();
    good(await b.cni('GC', {}, { ...conf, ...valid }));
    assert.deepEqual(readdirSync(join(b.dir, 'flannel')), ['c2']);
    assert.deepEqual(
      [sh('ip -o link show type veth', pod), existsSync(join(b.dir, 'networks/cbr0/10.99.7.2'))],
      ['', false],
    );
    assert.match(sh('ip -o addr show eth0', living), /10\.99\.7\.3/);
    assert.equal(existsSync(join(b.dir, 'networks/cbr0/10.99.7.3')), true);
  }
});

test('flannel takes addresses from the agent where the subnet is the agent’s own pool', { skip }, async (t) => {
  const { b, conf, env } = await node(t, SUBNET_ENV.replaceAll('10.99.7.', '10.244.1.').replace('10.99.', '10.244.'));
  const result = good(await b.cni('ADD', env, conf));
  const [ip] = result.ips as { address: string }[];
  const second = scratchNetns();
  t.after(() => second.close());
  const other = { CNI_CONTAINERID: 'c2', CNI_NETNS: pathOf(second), CNI_IFNAME: 'eth0' };
  const own = { cniVersion: '1.1.0', name: 'polder', type: 'polder' };
  const [otherIp] = good(await b.cni('ADD', other, own)).ips as { address: string }[];
  assert.notEqual(ip?.address, otherIp?.address);
  assert.equal(b.server.endpoints().length, 1, 'the agent programs only what the plugin polder made');
  const taken = await b.cni('ADD', { ...other, CNI_IFNAME: 'eth1', CNI_ARGS: `IP=${ip?.address.split('/')[0]}` }, own);
  assert.equal(taken.exit, 1, taken.stdout);
  // Another agent knows it still, and frees it.
  await b.restart({ coolDownMs: 0 });
  good(await b.cni('DEL', env, { ...conf, prevResult: result }));
  const again = await b.cni('ADD', { ...other, CNI_IFNAME: 'eth1', CNI_ARGS: `IP=${ip?.address.split('/')[0]}` }, own);
  good(again);
});

test('flannel refuses what it cannot do, and leaves nothing', { skip }, async (t) => {
  const { b, conf, env } = await node(t);
  const code = async (more: object) => (await b.cni('ADD', env, { ...conf, ...more })).json?.code;
  assert.equal(await code({ delegate: { ipam: { type: 'host-local' } } }), 7);
  assert.equal(await code({ delegate: { type: 'flannel' } }), 7);
  assert.equal(await code({ subnetFile: '/nonexistent/subnet.env' }), 11);
  assert.equal((await b.cni('STATUS', {}, { ...conf, subnetFile: '/nonexistent/subnet.env' })).json?.code, 50);
  assert.equal(await code({ delegate: { type: 'no-such-plugin' } }), 5);
  assert.equal(existsSync(join(b.dir, 'flannel/c1')), false);
  assert.equal(existsSync(join(b.dir, 'networks/cbr0/10.99.7.2')), false);
});
