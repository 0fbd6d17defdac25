/** Our runtime and our plugin together with other people's plugins: Debian's containernetworking-plugins. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setLoopbackUp } from '#cni/runtime/loopback.ts';
import { CniRuntime } from '#cni/runtime/runtime.ts';
import { type Bed, bed, noBed, pathOf, ROUTED, SHIM } from '#cni/testing/bed.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const REFERENCE = '/usr/lib/cni';

/** Why a test that needs these reference plugins and programs cannot run here, or false. */
function without(plugins: readonly string[], programs: readonly string[] = []): string | false {
  const plugin = plugins.find((name) => !existsSync(join(REFERENCE, name)));
  const program = programs.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (plugin) return `no ${join(REFERENCE, plugin)}`;
  return program ? `no ${program}` : noBed();
}

function runtimeOf(b: Bed, conflist: object): CniRuntime {
  const confDir = join(b.dir, 'net.d');
  const bin = join(b.dir, 'bin');
  for (const dir of [confDir, bin]) mkdirSync(dir);
  symlinkSync(SHIM, join(bin, 'polder'));
  writeFileSync(join(confDir, '10.conflist'), JSON.stringify({ cniVersion: '1.0.0', name: 'chain', ...conflist }));
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', POLDER_CNI_SOCKET: b.socketPath };
  return new CniRuntime({ confDir, binDirs: [bin, REFERENCE], cacheDir: join(b.dir, 'cache'), env });
}

function podNetns(t: TestContext): Netns {
  const pod = scratchNetns();
  t.after(() => pod.close());
  return pod;
}

function output(pod: Netns | undefined, command: string): string {
  const run = () => spawnSync('sh', ['-c', command], { encoding: 'utf8' }).stdout;
  return pod ? inNetns(pod, run) : run();
}

function hostLinks(): string[] {
  using netlink = openNetlink();
  return netlink
    .links()
    .filter((link) => !link.loopback)
    .map((link) => link.name);
}

test('polder, tuning: a plugin behind us sets a sysctl, and CHECK accepts it', {
  skip: without(['tuning']),
}, async (t) => {
  const b = await bed(t, ROUTED);
  const runtime = runtimeOf(b, {
    plugins: [{ type: 'polder' }, { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' } }],
  });
  const pod = podNetns(t);
  const call = { containerId: 'c1', netns: pathOf(pod), ifname: 'eth0' };
  const result = await runtime.add(call);
  assert.equal(result.ips[0]?.address, '10.244.1.2/32');
  assert.equal(output(pod, 'cat /proc/sys/net/core/somaxconn').trim(), '500');
  assert.deepEqual(await runtime.version('tuning').then((versions) => versions.includes('1.0.0')), true);
  await runtime.check(call);
  await runtime.del(call);
  assert.deepEqual(hostLinks(), []);
});

test('polder, bandwidth: the host’s side is shaped', { skip: without(['bandwidth'], ['tc']) }, async (t) => {
  const b = await bed(t, ROUTED);
  const runtime = runtimeOf(b, {
    plugins: [{ type: 'polder' }, { type: 'bandwidth', capabilities: { bandwidth: true } }],
  });
  const bandwidth = { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 800_000 };
  const call = { containerId: 'c1', netns: pathOf(podNetns(t)), ifname: 'eth0', capabilityArgs: { bandwidth } };
  await runtime.add(call);
  assert.match(output(undefined, 'tc qdisc show'), /qdisc tbf .* dev cali/);
  await runtime.check(call);
  await runtime.del({ ...call, netns: '' });
  assert.deepEqual(hostLinks(), []);
});

test('polder, portmap: a port of the host leads to the pod', {
  skip: without(['portmap'], ['iptables']),
}, async (t) => {
  const b = await bed(t, ROUTED);
  const runtime = runtimeOf(b, {
    plugins: [{ type: 'polder' }, { type: 'portmap', capabilities: { portMappings: true } }],
  });
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
  const call = { containerId: 'c1', netns: pathOf(podNetns(t)), ifname: 'eth0', capabilityArgs: { portMappings } };
  await runtime.add(call);
  assert.match(output(undefined, 'iptables -t nat -S'), /--to-destination 10\.244\.1\.2:80/);
  await runtime.del(call);
  assert.doesNotMatch(output(undefined, 'iptables -t nat -S'), /10\.244\.1\.2/);
  assert.deepEqual(hostLinks(), []);
});

test('our runtime runs the reference bridge and host-local', { skip: without(['bridge', 'host-local']) }, async (t) => {
  const b = await bed(t, ROUTED);
  const ipam = {
    type: 'host-local',
    subnet: '10.9.0.0/24',
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: join(b.dir, 'ipam'),
  };
  const runtime = runtimeOf(b, { plugins: [{ type: 'bridge', bridge: 'ref0', isGateway: true, ipam }] });
  const pod = podNetns(t);
  const call = { containerId: 'c1', netns: pathOf(pod), ifname: 'eth0' };
  const result = await runtime.add(call);
  assert.deepEqual(result.ips, [{ address: '10.9.0.2/24', gateway: '10.9.0.1', interface: 2 }]);
  assert.match(output(pod, 'ip route'), /default via 10\.9\.0\.1 dev eth0/);
  await runtime.check(call);
  assert.deepEqual(
    (await runtime.attachments('c1')).map((a) => a.network),
    ['chain'],
  );
  await runtime.del(call);
  assert.deepEqual(hostLinks(), ['ref0']);
});

test('setLoopbackUp sets lo up', { skip: noBed() }, async (t) => {
  const pod = podNetns(t);
  setLoopbackUp(pathOf(pod));
  assert.match(output(pod, 'ip link show lo'), /<LOOPBACK,UP,LOWER_UP>/);
  assert.throws(() => setLoopbackUp('/nowhere'), /Cannot use network namespace \/nowhere/);
});
