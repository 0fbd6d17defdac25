/** The plugin `dhcp` with a real server: Debian's dnsmasq, on a segment to which macvlan, bridge and others give pods access. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { alone } from '#cni/testing/alone.ts';
import { type Bed, bed, moveAway, noBed, pathOf, ROUTED, type ShimAnswer } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { addressesOf, makeSegment, noDnsmasq, startDnsmasq } from '#cni/testing/dhcp-server.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noBed() || noDnsmasq;
const HOSTILE = join(import.meta.dirname, '../../testing/hostile-server.ts');
const RANGE = 'dhcp-range=10.50.0.10,10.50.0.200,255.255.255.0,1h';
const SERVER = '10.50.0.1/24';

const conf = (ipam: object = {}, more: object = {}) => ({
  cniVersion: '1.1.0',
  name: 'lan',
  type: 'macvlan',
  master: 'up0',
  ipam: { type: 'dhcp', timeout: 10, ...ipam },
  ...more,
});

interface Pod {
  readonly netns: Netns;
  readonly env: Record<string, string>;
}

function makePod(t: TestContext, id: string): Pod {
  const netns = scratchNetns();
  t.after(() => netns.close());
  return { netns, env: { CNI_CONTAINERID: id, CNI_NETNS: pathOf(netns), CNI_IFNAME: 'eth0' } };
}

function ok(answer: ShimAnswer): Record<string, unknown> {
  assert.equal(answer.exit, 0, answer.stdout);
  return answer.json ?? {};
}

function addressOf(result: Record<string, unknown>): string {
  const [ip] = (result.ips ?? []) as { address: string }[];
  return ip?.address ?? 'none';
}

const kept = (b: Bed) => (existsSync(join(b.dir, 'dhcp')) ? readdirSync(join(b.dir, 'dhcp')) : []);

test('dhcp gives a pod address, routes and DNS, CHECK holds, and DEL gives the lease back', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [
    RANGE,
    'dhcp-option=option:router,10.50.0.1',
    'dhcp-option=option:dns-server,10.50.0.53',
    'domain=lan.example',
  ]);
  const pod = makePod(t, 'c1');
  const result = ok(await b.cni('ADD', pod.env, conf()));
  const address = addressOf(result);
  assert.match(address, /^10\.50\.0\.\d+\/24$/);
  assert.deepEqual(result.routes, [{ dst: '0.0.0.0/0', gw: '10.50.0.1' }]);
  assert.deepEqual(result.dns, { nameservers: ['10.50.0.53'], domain: 'lan.example' });
  assert.deepEqual(addressesOf(pod.netns, 'eth0'), [address]);
  sh('ping -n -q -c 1 -W 2 10.50.0.1', pod.netns);
  const [lease = ''] = server.leases();
  const name = Buffer.from('c1/lan/eth0')
    .toString('hex')
    .replace(/..(?=.)/g, '$&:');
  assert.match(lease, new RegExp(` ${address.replace(/\/24$/, '')} .* 00:${name}$`));
  ok(await b.cni('CHECK', pod.env, conf({}, { prevResult: result })));
  assert.equal((await b.cni('ADD', { ...pod.env, CNI_IFNAME: 'eth0' }, conf())).exit, 1);
  ok(await b.cni('DEL', pod.env, conf({}, { prevResult: result })));
  await server.says(/DHCPRELEASE/, true);
  assert.deepEqual([server.leases(), kept(b)], [[], []]);
  ok(await b.cni('DEL', pod.env, conf()));
});

test('dhcp says what the configuration provides, asks for what it requests, and takes classless routes first', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [
    RANGE,
    'dhcp-option=option:router,10.50.0.1',
    'dhcp-option=option:classless-static-route,10.60.0.0/16,10.50.0.7,0.0.0.0/0,10.50.0.2,10.70.0.0/24,0.0.0.0',
    'dhcp-option=option:domain-search,a.example,b.example',
    'dhcp-option=option:ntp-server,10.50.0.9',
  ]);
  const pod = makePod(t, 'c1');
  const wanted = conf({
    provide: [
      { option: 'host-name', fromArg: 'K8S_POD_NAME' },
      { option: '60', value: 'polder-test' },
    ],
    request: [{ option: 'ntp-servers' }],
    clientIdentifier: 'duid',
    broadcast: true,
    priority: 50,
  });
  const env = { ...pod.env, CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web-0' };
  const result = ok(await b.cni('ADD', env, wanted));
  assert.deepEqual(result.routes, [
    { dst: '10.60.0.0/16', gw: '10.50.0.7', priority: 50 },
    { dst: '0.0.0.0/0', gw: '10.50.0.2', priority: 50 },
    { dst: '10.70.0.0/24', scope: 253, priority: 50 },
  ]);
  assert.deepEqual(result.dns, { search: ['a.example', 'b.example'] });
  assert.equal(
    sh('ip route show metric 50', pod.netns).replace(/ +$/gm, ''),
    'default via 10.50.0.2 dev eth0\n10.60.0.0/16 via 10.50.0.7 dev eth0\n10.70.0.0/24 dev eth0 scope link',
  );
  assert.match(server.log, /vendor class: polder-test/);
  assert.match(server.log, /requested options: .*42:ntp-server/);
  const [lease = ''] = server.leases();
  assert.match(lease, / web-0 ff:/);
  ok(await b.cni('DEL', env, wanted));
  assert.deepEqual(server.leases(), []);
});

test('dhcp asks for the subnet mask only where the configuration skips the usual options', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  await startDnsmasq(t, segment, [
    RANGE,
    'dhcp-option=option:router,10.50.0.1',
    'dhcp-option=option:dns-server,10.50.0.3',
  ]);
  const pod = makePod(t, 'c1');
  const result = ok(await b.cni('ADD', pod.env, conf({ request: [{ skipDefault: true }] })));
  assert.match(addressOf(result), /^10\.50\.0\.\d+\/24$/);
  assert.deepEqual([result.routes, result.dns], [undefined, {}]);
  ok(await b.cni('DEL', pod.env, conf()));
});

test('dhcp gives static routes by class where there are no classless ones', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  await startDnsmasq(t, segment, [
    RANGE,
    'dhcp-option=option:router,10.50.0.1',
    'dhcp-option=option:static-route,192.168.9.0,10.50.0.8',
  ]);
  const pod = makePod(t, 'c1');
  const result = ok(await b.cni('ADD', pod.env, conf()));
  assert.deepEqual(result.routes, [
    { dst: '192.168.9.0/24', gw: '10.50.0.8' },
    { dst: '0.0.0.0/0', gw: '10.50.0.1' },
  ]);
  ok(await b.cni('DEL', pod.env, conf()));
});

test('dhcp without a server fails in its time with one sentence, and leaves nothing', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  makeSegment(t, 'up0', SERVER);
  const pod = makePod(t, 'c1');
  const before = performance.now();
  const { exit, json } = await b.cni('ADD', pod.env, conf({ timeout: 2 }));
  assert.deepEqual([exit, json?.code, json?.msg], [1, 11, 'No DHCP server answered on eth0 within 2 s.']);
  assert.ok(performance.now() - before < 10_000);
  assert.deepEqual([sh('ip -br link show type macvlan', pod.netns), kept(b)], ['', []]);
});

test('dhcp tells a server that offers what it cannot use', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  await startDnsmasq(t, segment, [RANGE, 'dhcp-option-force=option:netmask,255.0.255.0']);
  const pod = makePod(t, 'c1');
  const { json } = await b.cni('ADD', pod.env, conf({ timeout: 2 }));
  assert.deepEqual(
    [json?.code, json?.msg],
    [115, 'Cannot use the answer of the DHCP server 10.50.0.1: it has no usable subnet mask.'],
  );
});

test('dhcp tells the refusal of a server, and heeds nothing else that is said to it', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  sh('ip route add 255.255.255.255 dev srv0', segment);
  const child = inNetns(segment, () =>
    spawn(process.execPath, [HOSTILE, '10.50.0.1'], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const { json } = await b.cni('ADD', makePod(t, 'c1').env, conf({ timeout: 2 }));
  assert.deepEqual([json?.code, json?.msg], [114, 'The DHCP server 10.50.0.1 refused eth0 an address ("not you").']);
  child.stdin.end();
  await once(child, 'exit');
});

test('dhcp gives each of many pods that come at once an address of its own, and takes all back', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE]);
  const pods = Array.from({ length: 30 }, (_, i) => makePod(t, `c${i}`));
  const results = await Promise.all(pods.map((pod) => b.cni('ADD', pod.env, conf())));
  const addresses = results.map((answer) => addressOf(ok(answer)));
  assert.equal(new Set(addresses).size, pods.length);
  assert.deepEqual([server.leases().length, kept(b).length], [pods.length, pods.length]);
  await Promise.all(pods.map(async (pod) => ok(await b.cni('DEL', pod.env, conf()))));
  assert.deepEqual([server.leases(), kept(b)], [[], []]);
});

test('dhcp that cannot write its lease down gives it back to the server, and fails', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE]);
  writeFileSync(join(b.dir, 'dhcp'), 'no folder');
  const pod = makePod(t, 'c1');
  const { json } = await b.cni('ADD', pod.env, conf());
  assert.equal(json?.code, 5);
  await server.says(/DHCPACK/, true);
  await server.says(/DHCPRELEASE/, true);
  assert.deepEqual(server.leases(), []);
});

test('dhcp fails where the range is used up, and gives the address again after DEL', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  await startDnsmasq(t, segment, ['dhcp-range=10.50.0.10,10.50.0.10,255.255.255.0,1h']);
  const [first, second] = [makePod(t, 'c1'), makePod(t, 'c2')];
  ok(await b.cni('ADD', first.env, conf()));
  const refused = await b.cni('ADD', second.env, conf({ timeout: 2 }));
  assert.deepEqual([refused.exit, refused.json?.code], [1, 11]);
  ok(await b.cni('DEL', first.env, conf()));
  assert.equal(addressOf(ok(await b.cni('ADD', second.env, conf()))), '10.50.0.10/24');
  ok(await b.cni('DEL', second.env, conf()));
});

test('GC gives back the leases of a network that are not valid any more, and no others', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE]);
  const pods = ['c1', 'c2', 'c3'].map((id) => makePod(t, id));
  const other = { name: 'other' };
  for (const [i, pod] of pods.entries()) ok(await b.cni('ADD', pod.env, conf({}, i === 2 ? other : {})));
  ok(await b.cni('GC', {}, conf({}, { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] })));
  assert.deepEqual(
    server
      .leases()
      .map((line) =>
        Buffer.from((line.split(' ')[4] ?? '').replaceAll(':', ''), 'hex')
          .toString()
          .slice(1),
      )
      .sort(),
    ['c1/lan/eth0', 'c3/other/eth0'],
  );
  for (const [i, pod] of pods.entries()) ok(await b.cni('DEL', pod.env, conf({}, i === 2 ? other : {})));
  assert.deepEqual(kept(b), []);
});

test('DEL and CHECK of dhcp do their part when the namespace is gone or nothing was there', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  await startDnsmasq(t, segment, [RANGE]);
  const pod = makePod(t, 'c1');
  ok(await b.cni('DEL', pod.env, conf()));
  const result = ok(await b.cni('ADD', pod.env, conf()));
  pod.netns.close();
  ok(await b.cni('DEL', { ...pod.env, CNI_NETNS: '' }, conf({}, { prevResult: result })));
  assert.deepEqual(kept(b), []);
  const later = makePod(t, 'c2');
  const checked = await b.cni('CHECK', later.env, conf({}, { prevResult: result }));
  assert.match(String(checked.json?.msg), /there is no DHCP lease for eth0/);
});

test('dhcp beneath bridge and host-device', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const onBridge = makeSegment(t, 'up0', SERVER);
  sh('ip link add br7 type bridge && ip link set br7 up && ip link set up0 master br7');
  const server = await startDnsmasq(t, onBridge, [RANGE, 'dhcp-option=option:router,10.50.0.1']);
  const confs = [
    { type: 'bridge', bridge: 'br7' },
    { type: 'host-device', device: 'dev0' },
  ];
  sh('ip link add dev0 type veth peer name dev0p && ip link set dev0p master br7 up');
  for (const main of confs) {
    const pod = makePod(t, `c-${main.type}`);
    const whole = conf({}, { master: undefined, ...main });
    const result = ok(await b.cni('ADD', pod.env, whole));
    assert.deepEqual(addressesOf(pod.netns, 'eth0'), [addressOf(result)], main.type);
    sh('ping -n -q -c 1 -W 2 10.50.0.1', pod.netns);
    ok(await b.cni('CHECK', pod.env, { ...whole, prevResult: result }));
    ok(await b.cni('DEL', pod.env, { ...whole, prevResult: result }));
    assert.deepEqual(server.leases(), [], main.type);
  }
});

test('dhcp beneath ptp, with a server on the node that serves the links of pods', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  sh('ip link add br7 type bridge && ip addr add 10.50.0.1/24 dev br7 && ip link set br7 up');
  const server = await startDnsmasq(t, moveAway(), [
    RANGE,
    'interface=br7',
    'interface=veth*',
    'bridge-interface=br7,veth*',
    'dhcp-option=option:router,10.50.0.1',
  ]);
  const pod = makePod(t, 'c1');
  const whole = conf({}, { type: 'ptp', master: undefined });
  const result = ok(await b.cni('ADD', pod.env, whole));
  assert.deepEqual(addressesOf(pod.netns, 'eth0'), [addressOf(result)]);
  sh('ping -n -q -c 1 -W 2 10.50.0.1', pod.netns);
  ok(await b.cni('CHECK', pod.env, { ...whole, prevResult: result }));
  ok(await b.cni('DEL', pod.env, { ...whole, prevResult: result }));
  assert.deepEqual([server.leases(), kept(b)], [[], []]);
});

test('without an agent dhcp gives no lease and says why, but gives back what the agent got', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE]);
  const without = alone(t, ['macvlan', 'dhcp']);
  const pod = makePod(t, 'c1');
  const env = { ...pod.env, POLDER_CNI_SOCKET: b.socketPath };
  const result = ok(await b.cni('ADD', pod.env, conf()));
  await b.server.close();
  const nobody = 'The Polder agent is not running on this node: nobody would renew a DHCP lease';
  const other = { ...env, CNI_CONTAINERID: 'c2', CNI_IFNAME: 'eth1' };
  const add = await without.cni('macvlan', 'ADD', other, conf());
  assert.deepEqual([add.exit, add.json?.code, add.json?.msg], [1, 11, nobody]);
  const status = await without.cni('macvlan', 'STATUS', env, conf());
  assert.deepEqual([status.exit, status.json?.code, status.json?.msg], [1, 50, nobody]);
  ok(await without.cni('macvlan', 'CHECK', env, conf({}, { prevResult: result })));
  ok(await without.cni('macvlan', 'DEL', env, conf({}, { prevResult: result })));
  assert.deepEqual([server.leases(), kept(b), sh('ip -br link show type macvlan', pod.netns)], [[], [], '']);
});

test('dhcp refuses keys that are wrong, with the key', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  makeSegment(t, 'up0', SERVER);
  const pod = makePod(t, 'c1');
  const cases: [object, RegExp][] = [
    [
      { provide: [{ option: 'no-such-option', value: 'x' }] },
      /ipam\.provide\[0\]\.option must be a name of dhcp-options/,
    ],
    [{ provide: [{ option: '53', value: 'x' }] }, /ipam\.provide\[0\]\.option must not be one that the protocol/],
    [{ provide: [{ option: '12', value: 'x'.repeat(256) }] }, /ipam\.provide\[0\]\.value must have at most 255/],
    [{ request: [{ option: '256' }] }, /ipam\.request\[0\]\.option/],
    [{ request: 'all' }, /ipam\.request must be a list/],
    [{ timeout: 101 }, /ipam\.timeout must be at most 100 seconds/],
    [{ clientIdentifier: 'mac' }, /ipam\.clientIdentifier must be one of name, duid/],
    [{ daemonSocketPath: 7 }, /ipam\.daemonSocketPath must be a string/],
  ];
  for (const [ipam, says] of cases) {
    const { json } = await b.cni('ADD', pod.env, conf(ipam));
    assert.equal(json?.code, 7, JSON.stringify(json));
    assert.match(String(json?.msg), says);
    assert.equal(sh('ip -br link show type macvlan', pod.netns), '');
  }
});

test('any configuration of dhcp is served or refused with a code, and after DEL nothing is left', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE, 'dhcp-option=option:router,10.50.0.1']);
  const pod = makePod(t, 'c1');
  const text = fc.oneof(fc.constantFrom('host-name', '12', '61', '50', '1', '254', 'routers', 'A'), fc.string());
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 1 }), text);
  const known = fc.constantFrom('host-name', '12', '61', '50', '77', '254', 'routers');
  const usual = fc.record({ option: known, value: fc.string({ maxLength: 300 }) }, { noNullPrototype: true });
  const key = fc.constantFrom('option', 'value', 'fromArg', 'skipDefault');
  const broken = fc.dictionary(key, odd, { noNullPrototype: true });
  const option = fc.oneof({ weight: 5, arbitrary: usual }, { weight: 1, arbitrary: broken });
  const keys = fc.record(
    {
      provide: fc.oneof({ weight: 6, arbitrary: fc.array(option, { maxLength: 3 }) }, odd),
      request: fc.oneof({ weight: 6, arbitrary: fc.array(option, { maxLength: 3 }) }, odd),
      broadcast: fc.oneof({ weight: 4, arbitrary: fc.boolean() }, odd),
      priority: fc.oneof({ weight: 4, arbitrary: fc.nat() }, odd),
      clientIdentifier: fc.oneof({ weight: 4, arbitrary: fc.constantFrom('name', 'duid') }, odd),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  let given = 0;
  await fc.assert(
    fc.asyncProperty(keys, async (ipam) => {
      const whole = conf({ ...ipam, timeout: 1 });
      const added = await b.cni('ADD', { ...pod.env, CNI_ARGS: 'A=web' }, whole);
      if (added.exit === 0) given++;
      else assert.ok(Number(added.json?.code) !== 999, added.stdout);
      ok(await b.cni('DEL', pod.env, conf()));
      assert.deepEqual([sh('ip -br link show type macvlan', pod.netns), kept(b), server.leases()], ['', [], []]);
    }),
    { numRuns: Number(process.env.PT_RUNS ?? 100) },
  );
  assert.ok(given > 10, `${given} got a lease`);
});
