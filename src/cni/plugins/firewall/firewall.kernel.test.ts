import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { firewall } from '#cni/plugins/firewall/firewall.ts';
import {
  chainBed,
  makeBridge,
  makeNeighbour,
  makeOtherBridge,
  makePod,
  sh,
  type TestPod,
} from '#cni/testing/chain-bed.ts';
import { inNetns, inNewNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel;
const REFERENCE = '/usr/lib/cni/firewall';
const hasIptables = () => inNewNetns(() => spawnSync('iptables', ['-P', 'FORWARD', 'DROP']).status === 0);
const noIptables = skip || (hasIptables() ? false : 'needs iptables');

function node(t: TestContext) {
  const b = chainBed(t);
  makeBridge();
  const conf = (pod: TestPod | undefined, more: object = {}) => ({
    cniVersion: '1.0.0',
    name: 'net',
    type: 'firewall',
    ...(pod && { prevResult: pod.prevResult }),
    ...more,
  });
  return { b, conf };
}

function ping(from: Netns, to: string): boolean {
  return inNetns(from, () => spawnSync('ping', ['-c1', '-W1', to]).status === 0);
}

function elements(): string {
  const { stdout } = spawnSync('nft', ['list', 'table', 'inet', 'polder_firewall'], { encoding: 'utf8' });
  return stdout.match(/elements = \{[^}]*\}/g)?.join('\n') ?? '';
}

test('open: where iptables drops what is forwarded, the pod may send and is answered, and nobody else gains', {
  skip: noIptables,
}, async (t) => {
  const { b, conf } = node(t);
  const far = makeNeighbour(t);
  sh('ip route add 10.9.0.0/24 via 192.168.77.1', far);
  sh('ip -6 route add fd09::/64 via fd77::1', far);
  const [pod, other] = [makePod(t, 2), makePod(t, 3)];
  sh('iptables -P FORWARD DROP && ip6tables -P FORWARD DROP');
  t.after(() => sh('nft flush ruleset'));
  assert.equal(ping(pod.netns, '192.168.77.2'), false);
  assert.deepEqual(await b.ok('ADD', firewall, conf(pod), pod.env), pod.prevResult);
  assert.ok(ping(pod.netns, '192.168.77.2'));
  assert.ok(ping(pod.netns, 'fd77::2'));
  assert.equal(ping(far, pod.addr), false, 'unasked');
  assert.equal(ping(other.netns, '192.168.77.2'), false, 'a pod without the plugin');
  await b.ok('CHECK', firewall, conf(pod), pod.env);
  assert.match(sh('iptables -S FORWARD'), /-m mark --mark 0x1000\/0x1000 -j ACCEPT/);
  await b.ok('DEL', firewall, conf(pod), pod.env);
  assert.equal(ping(pod.netns, '192.168.77.2'), false);
  assert.equal(elements(), '');
});

test('same-bridge: pods of another such bridge are kept out, those of its own and outsiders are not', {
  skip,
}, async (t) => {
  const { b, conf } = node(t);
  const far = makeNeighbour(t);
  sh('ip route add 10.9.0.0/24 via 192.168.77.1', far);
  const stranger = makeOtherBridge(t);
  const [pod, friend, open] = [makePod(t, 2), makePod(t, 3), makePod(t, 4)];
  const env = { CNI_CONTAINERID: 'stranger', CNI_NETNS: `/proc/${process.pid}/fd/${stranger.fd}`, CNI_IFNAME: 'eth0' };
  const prevResult = { interfaces: [{ name: 'eth0', sandbox: '/x' }], ips: [{ address: '10.8.0.2/24', interface: 0 }] };
  const same = { ingressPolicy: 'same-bridge' };
  assert.ok(ping(stranger, pod.addr));
  await b.ok('ADD', firewall, conf(pod, same), pod.env);
  await b.ok('ADD', firewall, conf(undefined, { ...same, name: 'other', prevResult }), env);
  assert.equal(ping(stranger, pod.addr), false);
  assert.equal(ping(pod.netns, '10.8.0.2'), false);
  assert.ok(ping(friend.netns, pod.addr));
  assert.ok(ping(far, pod.addr));
  assert.ok(ping(stranger, open.addr), 'a pod without the policy');
  await b.ok('CHECK', firewall, conf(pod, same), pod.env);
  await b.ok('DEL', firewall, conf(undefined, same), { ...pod.env, CNI_NETNS: '' });
  await b.ok('DEL', firewall, conf(undefined, { ...same, name: 'other' }), { ...env, CNI_NETNS: '' });
  assert.equal(elements(), '', 'bridges, too');
  assert.ok(ping(stranger, pod.addr));
});

test('isolated: not even a pod of the same bridge gets through', { skip }, async (t) => {
  const { b, conf } = node(t);
  const far = makeNeighbour(t);
  sh('ip route add 10.9.0.0/24 via 192.168.77.1', far);
  const [one, two] = [makePod(t, 2), makePod(t, 3)];
  const alone = { ingressPolicy: 'isolated' };
  await b.ok('ADD', firewall, conf(one, alone), one.env);
  await b.ok('ADD', firewall, conf(two, alone), two.env);
  assert.equal(ping(one.netns, two.addr), false);
  assert.ok(ping(one.netns, '192.168.77.2'));
  assert.ok(ping(far, two.addr));
  await b.ok('CHECK', firewall, conf(one, alone), one.env);
  sh(`bridge link set dev ${one.hostIfname} isolated off && nft flush set inet polder_firewall isolated4`);
  const { json } = await b.call('CHECK', firewall, conf(one, alone), one.env);
  assert.equal(json?.code, 112);
  assert.match(String(json?.msg), /isolated4.*missing; vethp2 is not isolated/);
});

test('an interface of which the result does not say where it is counts as the pod’s; the node’s own do not', {
  skip,
}, async (t) => {
  const { b, conf } = node(t);
  const pod = makePod(t, 2);
  const policy = { ingressPolicy: 'same-bridge' };
  const of = (on: number) => ({
    interfaces: [{ name: 'cni0' }, { name: 'eth0' }],
    ips: [{ address: '10.9.0.2/24', interface: on }],
  });
  await b.ok('ADD', firewall, conf(undefined, { ...policy, prevResult: of(1) }), pod.env);
  assert.match(elements(), /10\.9\.0\.2/);
  await b.ok('CHECK', firewall, conf(undefined, { ...policy, prevResult: of(1) }), pod.env);
  await b.ok('DEL', firewall, conf(undefined), pod.env);
  for (const prevResult of [of(0), { interfaces: [{ name: 'eth0' }], ips: [] }]) {
    const { json } = await b.call('ADD', firewall, conf(undefined, { ...policy, prevResult }), pod.env);
    assert.equal(json?.code, 7, 'a policy for nobody');
    assert.match(String(json?.msg), /same-bridge.*no address/);
    await b.ok('ADD', firewall, conf(undefined, { prevResult }), pod.env);
  }
  assert.equal(elements(), '');
});

test('GC removes pods that are not valid; DEL comes twice; the administrator’s rules stay', { skip }, async (t) => {
  const { b, conf } = node(t);
  const [kept, stale] = [makePod(t, 2), makePod(t, 3)];
  await b.ok('ADD', firewall, conf(kept), kept.env);
  sh('nft add rule inet polder_firewall CNI-ADMIN counter');
  await b.ok('ADD', firewall, conf(stale), stale.env);
  const valid = [{ containerID: kept.containerId, ifname: 'eth0' }];
  await b.ok('GC', firewall, { ...conf(undefined), 'cni.dev/valid-attachments': valid });
  assert.match(elements(), /10\.9\.0\.2/);
  assert.doesNotMatch(elements(), /10\.9\.0\.3/);
  for (const _ of [1, 2]) await b.ok('DEL', firewall, conf(undefined), { ...kept.env, CNI_NETNS: '' });
  assert.equal(elements(), '');
  assert.match(sh('nft list chain inet polder_firewall CNI-ADMIN'), /counter/);
});

test('bad configurations are refused with the key', { skip }, async (t) => {
  const { b, conf } = node(t);
  const pod = makePod(t, 2);
  sh(`ip link set ${pod.hostIfname} nomaster`);
  const cases: [object, RegExp][] = [
    [conf(pod, { ingressPolicy: 'closed' }), /ingressPolicy/],
    [conf(pod, { backend: 'pf' }), /backend/],
    [conf(pod, { ingressPolicy: 'same-bridge' }), /needs a bridge/],
    [conf(undefined), /prevResult is missing/],
  ];
  for (const [bad, said] of cases) {
    const { json } = await b.call('ADD', firewall, bad, pod.env);
    assert.equal(json?.code, 7);
    assert.match(String(json?.msg), said);
  }
  assert.equal(elements(), '');
  await b.ok('STATUS', firewall, conf(undefined));
});

test('the reference plugin lets the same through, and gives the same result', {
  skip: noIptables || (existsSync(REFERENCE) ? false : 'no reference plugins'),
}, async (t) => {
  const { b, conf } = node(t);
  const far = makeNeighbour(t);
  sh('ip route add 10.9.0.0/24 via 192.168.77.1', far);
  const [ours, theirs] = [makePod(t, 2), makePod(t, 3)];
  sh('iptables -P FORWARD DROP && ip6tables -P FORWARD DROP');
  t.after(() => sh('nft flush ruleset'));
  const env = { ...theirs.env, CNI_COMMAND: 'ADD', CNI_PATH: '/usr/lib/cni', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const run = spawnSync(REFERENCE, {
    input: JSON.stringify(conf(theirs, { backend: 'iptables' })),
    env,
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, run.stdout);
  assert.deepEqual(await b.ok('ADD', firewall, conf(ours, { backend: 'iptables' }), ours.env), ours.prevResult);
  assert.deepEqual(JSON.parse(run.stdout), theirs.prevResult);
  for (const pod of [ours, theirs]) {
    assert.ok(ping(pod.netns, '192.168.77.2'));
    assert.equal(ping(far, pod.addr), false);
  }
});
