import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { type Bed, BRIDGED, bed, moveAway, noBed, pathOf, ROUTED, runShim } from '#cni/testing/bed.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parsePrefix } from '#net/prefix.ts';
import { SPEC_VERSIONS } from '#wire/cni/version.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

const skip = noBed();
const CONF = { cniVersion: '1.1.0', name: 'polder', type: 'polder' };
const POD = 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=web';

function vars(pod: Netns | undefined, containerId = 'c1', more: Record<string, string> = {}) {
  const netns = pod ? pathOf(pod) : '';
  return { CNI_CONTAINERID: containerId, CNI_NETNS: netns, CNI_IFNAME: 'eth0', CNI_ARGS: POD, CNI_PATH: '/x', ...more };
}

function podNetns(t: TestContext): Netns {
  const pod = scratchNetns();
  t.after(() => pod.close());
  return pod;
}

/** `ip` as an independent reader, here or in the pod. */
function ip(args: string, pod?: Netns): string {
  const run = () => spawnSync('ip', args.split(' '), { encoding: 'utf8' }).stdout;
  return (pod ? inNetns(pod, run) : run()).trim();
}

function lines(text: string): string[] {
  return text.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '));
}

async function added(b: Bed, pod: Netns, containerId = 'c1', more: Record<string, string> = {}, conf: object = CONF) {
  const answer = await b.cni('ADD', vars(pod, containerId, more), conf);
  assert.equal(answer.exit, 0, answer.stdout);
  return answer.json ?? {};
}

function hostLinks(): string[] {
  using netlink = openNetlink();
  return netlink
    .links()
    .filter((link) => !link.loopback)
    .map((link) => link.name);
}

function ping(pod: Netns, to: string): boolean {
  return inNetns(pod, () => spawnSync('ping', ['-c1', '-i0.1', '-w3', to]).status === 0);
}

test('ADD routed makes Calico’s layout and says so', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const pod = podNetns(t);
  const result = await added(b, pod);
  // printf default.web | sha1sum | cut -c1-11
  const host = 'cali68caf03a5f4';
  assert.deepEqual(result, {
    cniVersion: '1.1.0',
    interfaces: [
      { name: host, mac: 'ee:ee:ee:ee:ee:ee', mtu: 1450 },
      { name: 'eth0', mac: '0a:58:0a:f4:01:02', mtu: 1450, sandbox: pathOf(pod) },
    ],
    ips: [{ address: '10.244.1.2/32', gateway: '169.254.1.1', interface: 1 }],
    routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }],
    dns: {},
  });
  assert.deepEqual(lines(ip('route', pod)), ['default via 169.254.1.1 dev eth0', '169.254.1.1 dev eth0 scope link']);
  assert.deepEqual(lines(ip('neigh', pod)), ['169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT']);
  assert.match(ip('-4 addr show dev eth0', pod), /mtu 1450.*state UP[\s\S]*inet 10\.244\.1\.2\/32 scope global eth0/);
  assert.deepEqual(lines(ip('route')), [`10.244.1.2 dev ${host} proto 77 scope link`]);
  assert.match(ip(`link show ${host}`), /mtu 1450.*state UP/);
  assert.deepEqual(
    b.server.endpoints().map((e) => [e.podName, e.addrs[0], e.hostIfname]),
    [['web', '10.244.1.2', host]],
  );
});

test('two routed pods and the host reach one another', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const [one, two] = [podNetns(t), podNetns(t)];
  await added(b, one, 'c1');
  await added(b, two, 'c2', { CNI_ARGS: 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=other' });
  ip('addr add 192.0.2.1/32 dev lo');
  t.after(() => ip('addr del 192.0.2.1/32 dev lo'));
  assert.ok(ping(one, '10.244.1.3'), 'pod to pod');
  assert.ok(ping(two, '192.0.2.1'), 'pod to host');
  assert.equal(spawnSync('ping', ['-c1', '-W1', '10.244.1.2']).status, 0, 'host to pod');
});

test('ADD routed gives IPv6 the same way', { skip }, async (t) => {
  const b = await bed(t, { ...ROUTED, podCidrs: [parsePrefix('10.244.1.0/24'), parsePrefix('fd00:1::/64')] });
  const [one, two] = [podNetns(t), podNetns(t)];
  const result = await added(b, one, 'c1');
  await added(b, two, 'c2', { CNI_ARGS: '' });
  assert.deepEqual(result.ips, [
    { address: '10.244.1.2/32', gateway: '169.254.1.1', interface: 1 },
    { address: 'fd00:1::2/128', gateway: 'fe80::1', interface: 1 },
  ]);
  assert.ok(ping(one, 'fd00:1::3'));
});

test('ADD bridge makes Flannel’s layout, and pods reach one another and the bridge', { skip }, async (t) => {
  const b = await bed(t, BRIDGED);
  const [one, two] = [podNetns(t), podNetns(t)];
  const result = await added(b, one, 'c1', {}, { ...CONF, hairpinMode: true });
  await added(b, two, 'c2', { CNI_ARGS: '' });
  assert.deepEqual(result.ips, [{ address: '10.244.1.2/24', gateway: '10.244.1.1', interface: 2 }]);
  assert.deepEqual(lines(ip('route', one)), [
    'default via 10.244.1.1 dev eth0',
    '10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.2',
  ]);
  assert.match(ip('-4 addr show dev cni0'), /inet 10\.244\.1\.1\/24/);
  assert.equal(lines(ip('-o link show master cni0')).length, 2);
  const [port] = lines(ip('-d -o link show master cni0'));
  assert.match(port ?? '', /hairpin on/);
  assert.ok(ping(one, '10.244.1.3') && ping(two, '10.244.1.1'));
});

test('DEL leaves nothing, and succeeds again without netns, prevResult and node network', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const pod = podNetns(t);
  await added(b, pod);
  b.network = undefined;
  for (const netns of [pod, undefined, undefined]) {
    assert.deepEqual(await b.cni('DEL', vars(netns), CONF), { exit: 0, stdout: '', json: undefined });
  }
  assert.deepEqual(hostLinks(), []);
  assert.equal(ip('link show eth0', pod), '');
  assert.deepEqual(b.server.endpoints(), []);
});

test('DEL succeeds after the pod’s namespace is gone', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const pod = scratchNetns();
  await added(b, pod);
  const gone = pathOf(pod);
  pod.close();
  const answer = await b.cni('DEL', { ...vars(undefined), CNI_NETNS: gone }, CONF);
  assert.equal(answer.exit, 0, answer.stdout);
  assert.deepEqual(hostLinks(), []);
});

test('every spec version gets its own form of the result', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  for (const cniVersion of ['0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
    const pod = podNetns(t);
    const conf = { ...CONF, cniVersion };
    const result = await added(b, pod, 'c1', {}, conf);
    assert.equal(result.cniVersion, cniVersion);
    const [address] = result.ips as { version?: string }[];
    assert.equal(address?.version, cniVersion < '1' ? '4' : undefined);
    const checked = await b.cni('CHECK', vars(pod), { ...conf, prevResult: result });
    if (cniVersion === '0.3.1') assert.equal(checked.json?.code, 1);
    else assert.deepEqual(checked, { exit: 0, stdout: '', json: undefined });
    assert.equal((await b.cni('DEL', vars(pod), { ...conf, prevResult: result })).exit, 0);
  }
  assert.equal((await b.cni('ADD', vars(podNetns(t)), { ...CONF, cniVersion: '0.9.0' })).json?.code, 1);
});

const DAMAGE: Record<
  string,
  { readonly pod?: NetlinkOp; readonly host?: (name: string) => NetlinkOp; readonly says: RegExp }
> = {
  'the pod’s interface is down': {
    pod: { op: 'link.set', name: 'eth0', change: { up: false } },
    says: /eth0 is down/,
  },
  'the pod’s MTU differs': { pod: { op: 'link.set', name: 'eth0', change: { mtu: 1200 } }, says: /MTU 1200, not 1450/ },
  'the host’s interface is down': {
    host: (name) => ({ op: 'link.set', name, change: { up: false } }),
    says: /host interface cali\S+ is down/,
  },
  'the veth is gone': {
    host: (name) => ({ op: 'link.del', name }),
    says: /host interface cali\S+ is missing; eth0 is missing/,
  },
};

for (const [name, damage] of Object.entries(DAMAGE)) {
  test(`CHECK sees that ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    const pod = podNetns(t);
    const prevResult = await added(b, pod);
    using inside = openNetlink(pod.fd);
    using outside = openNetlink();
    if (damage.pod) assert.deepEqual(inside.run([damage.pod]), []);
    if (damage.host) assert.deepEqual(outside.run([damage.host(hostLinks()[0] ?? '')]), []);
    const answer = await b.cni('CHECK', vars(pod), { ...CONF, prevResult });
    assert.equal(answer.exit, 1);
    assert.equal(answer.json?.code, 112);
    assert.match(String(answer.json?.msg), damage.says);
  });
}

test('CHECK sees what `ip` changed: address, route, neighbour, host route, MAC', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const pod = podNetns(t);
  const prevResult = await added(b, pod);
  const conf = { ...CONF, prevResult };
  assert.equal((await b.cni('CHECK', vars(pod), conf)).exit, 0);
  ip('neigh del 169.254.1.1 dev eth0', pod);
  ip('route del default', pod);
  ip('route del 10.244.1.2');
  ip('link set eth0 address 02:00:00:00:00:01', pod);
  const message = String((await b.cni('CHECK', vars(pod), conf)).json?.msg);
  assert.match(message, /neighbour 169\.254\.1\.1/);
  assert.match(message, /route 0\.0\.0\.0\/0 via 169\.254\.1\.1 dev eth0 of the pod is missing/);
  assert.match(message, /route 10\.244\.1\.2\/32 dev cali\S+ of the host is missing/);
  assert.match(message, /MAC 02:00:00:00:00:01, not 0a:58:0a:f4:01:02/);
  assert.equal((await b.cni('CHECK', vars(pod), CONF)).json?.code, 7, 'prevResult is needed');
  assert.equal((await b.cni('CHECK', vars(pod, 'other'), conf)).json?.code, 3);
});

test('CHECK sees that a port left the bridge', { skip }, async (t) => {
  const b = await bed(t, BRIDGED);
  const pod = podNetns(t);
  const prevResult = await added(b, pod);
  assert.equal((await b.cni('CHECK', vars(pod), { ...CONF, prevResult })).exit, 0);
  ip(`link set ${hostLinks().find((name) => name.startsWith('veth'))} nomaster`);
  ip('addr del 10.244.1.1/24 dev cni0');
  const message = String((await b.cni('CHECK', vars(pod), { ...CONF, prevResult })).json?.msg);
  assert.match(message, /is no port of cni0; address 10\.244\.1\.1\/24 on cni0 is missing/);
});

test('addresses and MAC are given as asked, from wherever they are asked', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const ask = async (id: string, env: Record<string, string>, conf: object) =>
    ((await added(b, podNetns(t), id, { CNI_ARGS: '', ...env }, { ...CONF, ...conf })).ips as { address: string }[])[0]
      ?.address;
  assert.equal(await ask('a', { CNI_ARGS: 'IgnoreUnknown=1;IP=10.244.1.50' }, {}), '10.244.1.50/32');
  assert.equal(await ask('b', {}, { args: { cni: { ips: ['10.244.1.51'] } } }), '10.244.1.51/32');
  assert.equal(await ask('c', {}, { runtimeConfig: { IPs: ['10.244.1.52/24'] } }), '10.244.1.52/32');
  const result = await added(b, podNetns(t), 'd', { CNI_ARGS: 'MAC=02:aa:bb:cc:dd:ee' });
  assert.equal((result.interfaces as { mac: string }[])[1]?.mac, '02:aa:bb:cc:dd:ee');
  const refused = async (conf: object) => (await b.cni('ADD', vars(podNetns(t), 'e'), { ...CONF, ...conf })).json?.code;
  assert.equal(await refused({ runtimeConfig: { ips: ['10.244.1.50'] } }), 110);
  assert.equal(await refused({ runtimeConfig: { ips: ['10.9.9.9'] } }), 7);
  assert.equal(await refused({ runtimeConfig: { mac: '01:00:5e:00:00:01' } }), 7);
});

test('a chained call appends to prevResult, and mtu and dns of the configuration are honoured', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const prevResult = {
    cniVersion: '1.0.0',
    interfaces: [{ name: 'x' }],
    ips: [{ address: '192.0.2.1/24', interface: 0 }],
  };
  const conf = {
    ...CONF,
    mtu: 1300,
    dns: { domain: 'd' },
    runtimeConfig: { dns: { Servers: ['10.96.0.10'] } },
    prevResult,
  };
  const result = await added(b, podNetns(t), 'c1', {}, conf);
  assert.deepEqual(
    (result.interfaces as { name: string; mtu?: number }[]).map((i) => i.mtu),
    [undefined, 1300, 1300],
  );
  assert.deepEqual(
    (result.ips as { interface: number }[]).map((i) => i.interface),
    [0, 2],
  );
  assert.deepEqual(result.dns, { domain: 'd', nameservers: ['10.96.0.10'] });
});

test('bad calls get the spec’s codes and leave nothing', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const pod = podNetns(t);
  const code = async (env: Record<string, string>, conf: unknown = CONF, command = 'ADD') => {
    const answer = await b.cni(command, { ...vars(pod), ...env }, conf);
    assert.equal(answer.exit, 1, answer.stdout);
    assert.equal(typeof answer.json?.msg, 'string');
    return answer.json?.code;
  };
  assert.equal(await code({ CNI_CONTAINERID: '' }), 4);
  assert.equal(await code({ CNI_CONTAINERID: '../etc' }), 4);
  assert.equal(await code({ CNI_IFNAME: 'x'.repeat(16) }), 4);
  assert.equal(await code({ CNI_IFNAME: 'a/b' }), 4);
  assert.equal(await code({ CNI_ARGS: 'nonsense' }), 4);
  assert.equal(await code({}, CONF, 'NOPE'), 4);
  assert.equal(await code({}, ''), 6);
  assert.equal(await code({}, '{"cniVersion":'), 6);
  assert.equal(await code({}, { ...CONF, name: 'a/b' }), 7);
  assert.equal(await code({ CNI_NETNS: '/run/netns/pt-not-there' }), 8);
  assert.equal(await code({ CNI_NETNS: '/etc/passwd' }), 8);
  assert.equal(await code({ CNI_NETNS: '/proc/self/ns/net' }), 8);
  b.network = undefined;
  assert.equal(await code({}), 11);
  assert.equal(await code({}, CONF, 'STATUS'), 50);
  assert.deepEqual([hostLinks(), b.server.endpoints()], [[], []]);
});

test('a second ADD of one interface is refused and changes nothing', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const pod = podNetns(t);
  await added(b, pod);
  assert.equal((await b.cni('ADD', vars(pod), CONF)).json?.code, 111);
  assert.equal(b.server.endpoints().length, 1);
  assert.equal((await b.cni('ADD', vars(pod, 'c2'), CONF)).json?.code, 111);
  // Another container of a pod of the same name gets a name of its own on the host.
  await added(b, podNetns(t), 'c3');
  assert.equal(new Set(hostLinks()).size, 2);
});

test('a failed ADD undoes itself', { skip }, async (t) => {
  const b = await bed(t, { ...BRIDGED, bridge: 'taken' });
  ip('link add taken type veth peer name taken2');
  const answer = await b.cni('ADD', vars(podNetns(t)), CONF);
  assert.match(String(answer.json?.msg), /there is an interface taken that is none/);
  assert.deepEqual(hostLinks().sort(), ['taken', 'taken2']);
  b.network = { ...BRIDGED, podCidrs: [parsePrefix('10.244.1.0/30')] };
  // The only address rests now; a failure must not leak it for good.
  assert.equal((await b.cni('ADD', vars(podNetns(t)), CONF)).json?.code, 11);
});

test('GC frees what is not named, STATUS is content, VERSION says what is spoken', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  for (const id of ['c1', 'c2', 'c3']) await added(b, podNetns(t), id, { CNI_ARGS: '' });
  const valid = [{ containerID: 'c2', ifname: 'eth0' }];
  assert.equal((await b.cni('GC', {}, { ...CONF, name: 'elsewhere', 'cni.dev/valid-attachments': [] })).exit, 0);
  assert.equal(b.server.endpoints().length, 3);
  assert.equal((await b.cni('GC', {}, { ...CONF, 'cni.dev/valid-attachments': valid })).exit, 0);
  assert.deepEqual(
    b.server.endpoints().map((e) => e.containerId),
    ['c2'],
  );
  assert.equal(hostLinks().length, 1);
  assert.equal((await b.cni('STATUS', {}, CONF)).exit, 0);
  const version = await b.cni('VERSION', {}, '');
  assert.deepEqual(version.json, { cniVersion: '1.1.0', supportedVersions: [...SPEC_VERSIONS] });
});

test('40 ADDs and then 40 DELs at once all succeed, and no address is given twice', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const pods = Array.from({ length: 40 }, () => podNetns(t));
  const results = await Promise.all(pods.map((pod, i) => added(b, pod, `c${i}`, { CNI_ARGS: '' })));
  const addresses = results.map((result) => (result.ips as { address: string }[])[0]?.address);
  assert.equal(new Set(addresses).size, 40);
  const dels = await Promise.all(pods.map((pod, i) => b.cni('DEL', vars(pod, `c${i}`), CONF)));
  assert.deepEqual(
    dels.map((d) => d.exit),
    Array(40).fill(0),
  );
  assert.deepEqual(hostLinks(), []);
});

test('a server that starts anew knows its pods; after a reboot it knows none', { skip }, async (t) => {
  const b = await bed(t, ROUTED, { bootId: 'one' });
  const [kept, lost] = [podNetns(t), podNetns(t)];
  const prevResult = await added(b, kept, 'kept');
  await added(b, lost, 'lost', { CNI_ARGS: '' });
  ip(`link del ${b.server.endpoints().find((e) => e.containerId === 'lost')?.hostIfname}`);
  await b.restart();
  assert.deepEqual(
    b.server.endpoints().map((e) => e.containerId),
    ['kept'],
  );
  assert.equal((await b.cni('CHECK', vars(kept, 'kept'), { ...CONF, prevResult })).exit, 0);
  assert.equal((await b.cni('DEL', vars(kept, 'kept'), { ...CONF, prevResult })).exit, 0);
  assert.equal((await b.cni('DEL', vars(lost, 'lost'), CONF)).exit, 0);
  await added(b, kept, 'again');
  await b.restart({ bootId: 'two' });
  assert.deepEqual(b.server.endpoints(), []);
});

test('two servers do not share a socket; without one the shim says "try again later"', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  await assert.rejects(bedOn(b), /Another agent serves/);
  await b.server.close();
  const later = await b.cni('ADD', vars(podNetns(t)), { ...CONF, cniVersion: '0.4.0' });
  assert.deepEqual([later.exit, later.json?.code, later.json?.cniVersion], [1, 11, '0.4.0']);
  assert.equal((await b.cni('STATUS', {}, CONF)).json?.code, 50);
  assert.equal((await b.cni('VERSION', {}, '{}')).exit, 0);
  await b.restart();
});

async function bedOn(b: Bed): Promise<void> {
  const { startCniServer } = await import('#cni/server/server.ts');
  const log = { info() {}, warn() {}, error() {} };
  await startCniServer({ socketPath: b.socketPath, stateDir: b.dir, nodeNetwork: () => undefined, log });
}

test('the shim passes a large configuration and refuses a giant one', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  const big = { ...CONF, args: { filler: 'x'.repeat(3 << 20) } };
  assert.equal((await b.cni('ADD', vars(podNetns(t)), big)).exit, 0);
  const giant = await runShim(
    b.socketPath,
    { CNI_COMMAND: 'ADD', ...vars(podNetns(t)) },
    { ...CONF, filler: 'x'.repeat(5 << 20) },
  );
  assert.equal(giant.json?.code, 6);
});

test('the caller’s network namespace is where the host’s side is made', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  moveAway();
  const other = podNetns(t);
  const pod = podNetns(t);
  const env = { CNI_COMMAND: 'ADD', ...vars(pod) };
  const answer = await inNetns(other, () => ({ running: runShim(b.socketPath, env, CONF) })).running;
  assert.equal(answer.exit, 0, answer.stdout);
  assert.deepEqual(hostLinks(), []);
  assert.match(ip('route', other), /^10\.244\.1\.2 dev cali/);
  const gone = await inNetns(other, () => ({ running: runShim(b.socketPath, { ...env, CNI_COMMAND: 'DEL' }, CONF) }))
    .running;
  assert.equal(gone.exit, 0, gone.stdout);
  assert.equal(ip('route', other), '');
});
