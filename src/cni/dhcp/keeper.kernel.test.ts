/** Leases after ADD, with real servers: renewed, given by another server, changed, refused, and kept by an agent that was killed. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Bed, bed, noBed, pathOf, ROUTED, runShim, type ShimAnswer } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { addressesOf, makeSegment, noDnsmasq, noKea, startDnsmasq, startKea } from '#cni/testing/dhcp-server.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noBed() || noDnsmasq;
const RANGE = 'dhcp-range=10.50.0.10,10.50.0.99,255.255.255.0,1h';
const SERVER = '10.50.0.1/24';
const QUICK = ['dhcp-option=option:T1,2', 'dhcp-option=option:T2,4'];

const CONF = {
  cniVersion: '1.1.0',
  name: 'lan',
  type: 'macvlan',
  master: 'up0',
  ipam: { type: 'dhcp', timeout: 10 },
};

interface Pod {
  readonly netns: Netns;
  readonly env: Record<string, string>;
  readonly result: Record<string, unknown>;
  /** Without its length. */
  readonly address: string;
}

type Cni = (command: string, env: Record<string, string>, conf: object) => Promise<ShimAnswer>;

async function addPod(t: TestContext, cni: Cni, id: string): Promise<Pod> {
  const netns = scratchNetns();
  t.after(() => netns.close());
  const env = { CNI_CONTAINERID: id, CNI_NETNS: pathOf(netns), CNI_IFNAME: 'eth0' };
  const { exit, stdout, json = {} } = await cni('ADD', env, CONF);
  assert.equal(exit, 0, stdout);
  const [ip] = (json.ips ?? []) as { address: string }[];
  return { netns, env, result: json, address: ip?.address.replace(/\/.*/, '') ?? 'none' };
}

const cniOf = (b: Bed): Cni => b.cni;

/** What the agent does when the server's answer comes is done a moment after it. */
async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !holds(); await sleep(20)) {
    assert.ok(performance.now() < end, `it does not come to be: ${what}`);
  }
}

const ack = ({ address }: Pod) => new RegExp(`DHCPACK\\(srv0\\) ${address} `);

test('a lease is renewed at T1, also by a server that was started anew', { skip, timeout: 60_000 }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE, ...QUICK]);
  const pod = await addPod(t, cniOf(b), 'c1');
  await server.says(ack(pod));
  await server.stop();
  const again = await startDnsmasq(t, segment, [RANGE, ...QUICK, 'dhcp-authoritative']);
  await again.says(ack(pod), true);
  await again.says(ack(pod));
  assert.deepEqual(addressesOf(pod.netns, 'eth0'), [`${pod.address}/24`]);
  assert.equal((await b.cni('CHECK', pod.env, { ...CONF, prevResult: pod.result })).exit, 0);
  assert.equal((await b.cni('DEL', pod.env, CONF)).exit, 0);
  await again.says(/DHCPRELEASE/, true);
});

test('from T2 on any server may keep the lease', { skip, timeout: 60_000 }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const first = await startDnsmasq(t, segment, [RANGE, ...QUICK]);
  const pod = await addPod(t, cniOf(b), 'c1');
  await first.stop();
  sh('ip addr flush dev srv0 && ip addr add 10.50.0.2/24 dev srv0', segment);
  const second = await startDnsmasq(t, segment, [RANGE, ...QUICK, 'dhcp-authoritative']);
  await second.says(ack(pod), true);
  // To the second alone, from now on.
  await second.says(ack(pod));
  assert.deepEqual(addressesOf(pod.netns, 'eth0'), [`${pod.address}/24`]);
  assert.equal((await b.cni('DEL', pod.env, CONF)).exit, 0);
  await second.says(/DHCPRELEASE/, true);
});

test('routes that a renewal changes change in the pod', { skip, timeout: 60_000 }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const router = (addr: string) => `dhcp-option=option:router,${addr}`;
  const first = await startDnsmasq(t, segment, [RANGE, ...QUICK, router('10.50.0.1')]);
  const pod = await addPod(t, cniOf(b), 'c1');
  assert.match(sh('ip route show default', pod.netns), /via 10\.50\.0\.1 /);
  await first.stop();
  const second = await startDnsmasq(t, segment, [RANGE, ...QUICK, router('10.50.0.7'), 'dhcp-authoritative']);
  await second.says(ack(pod), true);
  await until('the other router', () =>
    /^default via 10\.50\.0\.7 dev eth0\s*$/.test(sh('ip route show default', pod.netns)),
  );
  assert.equal((await b.cni('DEL', pod.env, CONF)).exit, 0);
});

test('a refused renewal takes the address off the pod at once; it gets another, and CHECK tells it', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const first = await startDnsmasq(t, segment, [RANGE, ...QUICK]);
  const pod = await addPod(t, cniOf(b), 'c1');
  await first.stop();
  const other = 'dhcp-range=10.50.0.150,10.50.0.159,255.255.255.0,1h';
  const second = await startDnsmasq(t, segment, [other, 'dhcp-authoritative', 'dhcp-option=option:router,10.50.0.1']);
  await second.says(/DHCPNAK/, true);
  await second.says(/DHCPACK\(srv0\) 10\.50\.0\.15\d /, true);
  await until('another address', () => /^10\.50\.0\.15\d\/24$/.test(addressesOf(pod.netns, 'eth0').join()));
  assert.match(sh('ip route show default', pod.netns), /via 10\.50\.0\.1 /);
  const checked = await b.cni('CHECK', pod.env, { ...CONF, prevResult: pod.result });
  assert.match(
    String(checked.json?.msg),
    /the DHCP lease is now of 10\.50\.0\.15\d\/24, which prevResult does not have/,
  );
  assert.equal((await b.cni('DEL', pod.env, CONF)).exit, 0);
  await second.says(/DHCPRELEASE/, true);
});

for (const [way, hours] of [
  ['a day ahead', 24],
  ['eight hours back', -8],
] as const) {
  test(`a lease is renewed in its time, and no address lost, when the clock is set ${way}`, {
    skip,
    timeout: 60_000,
  }, async (t) => {
    const b = await bed(t, ROUTED);
    const segment = makeSegment(t, 'up0', SERVER);
    const server = await startDnsmasq(t, segment, [RANGE, ...QUICK]);
    const pod = await addPod(t, cniOf(b), 'c1');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + hours * 3_600_000 });
    const check = async () => (await b.cni('CHECK', pod.env, { ...CONF, prevResult: pod.result })).stdout;
    assert.equal(await check(), '');
    await server.says(ack(pod));
    await server.says(ack(pod));
    assert.deepEqual(addressesOf(pod.netns, 'eth0'), [`${pod.address}/24`]);
    assert.equal(await check(), '');
    assert.equal((await b.cni('DEL', pod.env, CONF)).exit, 0);
  });
}

const SHORT = {
  'valid-lifetime': 4,
  'renew-timer': 1,
  'rebind-timer': 2,
  subnet4: [
    {
      subnet: '10.50.0.0/24',
      pools: [{ pool: '10.50.0.10 - 10.50.0.99' }],
      'option-data': [{ name: 'routers', data: '10.50.0.1' }],
    },
  ],
};

test('a lease that runs out is taken off the pod, and comes back with the server', {
  skip: skip || noKea,
  timeout: 60_000,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const first = await startKea(t, segment, SHORT);
  const pod = await addPod(t, cniOf(b), 'c1');
  await first.says(/DHCP4_LEASE_ALLOC/);
  assert.deepEqual(addressesOf(pod.netns, 'eth0'), [`${pod.address}/24`]);
  await first.stop();
  await until('no address', () => addressesOf(pod.netns, 'eth0').length === 0);
  const checked = await b.cni('CHECK', pod.env, { ...CONF, prevResult: pod.result });
  assert.match(String(checked.json?.msg), /the DHCP lease of 10\.50\.0\.\d+\/24 is lost/);
  await startKea(t, segment, SHORT);
  await until('the address again', () => addressesOf(pod.netns, 'eth0').join() === `${pod.address}/24`);
  assert.match(sh('ip route show default', pod.netns), /via 10\.50\.0\.1 /);
  assert.equal((await b.cni('CHECK', pod.env, { ...CONF, prevResult: pod.result })).exit, 0);
  assert.equal((await b.cni('DEL', pod.env, CONF)).exit, 0);
});

const PROCESS = fileURLToPath(new URL('../testing/server-process.ts', import.meta.url));

async function agent(t: TestContext, socketPath: string, dir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROCESS, socketPath, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

test('an agent that is killed and started again goes on with its leases', { skip, timeout: 90_000 }, async (t) => {
  const b = await bed(t, ROUTED);
  const socketPath = join(b.dir, 'own', 'cni.sock');
  const cni: Cni = (command, env, conf) => runShim(socketPath, { CNI_COMMAND: command, ...env }, conf);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE, ...QUICK]);
  const first = await agent(t, socketPath, join(b.dir, 'own'));
  const pods = [await addPod(t, cni, 'c1'), await addPod(t, cni, 'c2')];
  const gone = await addPod(t, cni, 'gone');
  first.kill('SIGKILL');
  await once(first, 'exit');
  gone.netns.close();
  const second = await agent(t, socketPath, join(b.dir, 'own'));
  await Promise.all(pods.map((pod) => server.says(ack(pod))));
  for (const pod of pods) {
    assert.equal((await cni('CHECK', pod.env, { ...CONF, prevResult: pod.result })).exit, 0);
    assert.equal((await cni('DEL', pod.env, CONF)).exit, 0);
  }
  assert.equal((await cni('DEL', { ...gone.env, CNI_NETNS: '' }, CONF)).exit, 0);
  await server.says(/DHCPRELEASE.*(\n.*)*DHCPRELEASE/, true);
  assert.deepEqual(
    server.leases().map((line) => line.split(' ')[2]),
    [gone.address],
  );
  second.stdin?.end();
  await once(second, 'exit');
});
