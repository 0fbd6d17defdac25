import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { portmap } from '#cni/plugins/portmap/portmap.ts';
import {
  type ChainBed,
  chainBed,
  makeBridge,
  makeNeighbour,
  makePod,
  sh,
  type TestPod,
} from '#cni/testing/chain-bed.ts';
import { answer, answered, ask, noSocat, silent } from '#cni/testing/echo.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel || noSocat;

type Mapping = Record<string, unknown>;

function conf(pod: TestPod | undefined, portMappings: readonly Mapping[], more: object = {}) {
  return {
    cniVersion: '1.1.0',
    name: 'net',
    type: 'portmap',
    runtimeConfig: { portMappings },
    ...(pod && { prevResult: pod.prevResult }),
    ...more,
  };
}

async function added(b: ChainBed, pod: TestPod, mappings: readonly Mapping[], more: object = {}) {
  return b.ok('ADD', portmap, conf(pod, mappings, more), pod.env);
}

function node(t: TestContext): ChainBed {
  const b = chainBed(t);
  makeBridge();
  return b;
}

/** Elements of the table that nft shows, without its rules. */
function elements(): string {
  const { stdout } = spawnSync('nft', ['list', 'table', 'inet', 'polder_portmap'], { encoding: 'utf8' });
  return stdout.match(/elements = \{[^}]*\}/g)?.join('\n') ?? '';
}

const WEB = { hostPort: 8080, containerPort: 80, protocol: 'tcp' };

test('a port is reached from another machine, from the node, from 127.0.0.1 and from the pod itself', {
  skip,
}, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  const [pod, other] = [makePod(t, 2), makePod(t, 3)];
  await answer(t, pod.netns, 'TCP-LISTEN:80', 'web');
  silent(far, 'TCP:192.168.77.1:8080');
  const result = await added(b, pod, [WEB]);
  assert.deepEqual(result, { ...pod.prevResult, cniVersion: '1.1.0' });
  assert.equal(ask(far, 'TCP:192.168.77.1:8080'), 'web 192.168.77.2', 'the pod sees who asks');
  answered(undefined, 'TCP:192.168.77.1:8080', 'web');
  answered(undefined, 'TCP:127.0.0.1:8080', 'web');
  answered(pod.netns, 'TCP:192.168.77.1:8080', 'web');
  answered(other.netns, 'TCP:192.168.77.1:8080', 'web');
  await b.ok('CHECK', portmap, conf(pod, [WEB]), pod.env);
  await b.ok('DEL', portmap, conf(pod, [WEB]), pod.env);
  for (const from of [far, undefined, pod.netns]) silent(from, 'TCP:192.168.77.1:8080');
  assert.equal(elements(), '');
});

test('a port of IPv6 leads to the pod’s IPv6 address', { skip }, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  const pod = makePod(t, 2);
  await answer(t, pod.netns, 'TCP6-LISTEN:80', 'web');
  await added(b, pod, [WEB]);
  answered(far, 'TCP6:[fd77::1]:8080', 'web');
  answered(undefined, 'TCP6:[fd77::1]:8080', 'web');
  answered(pod.netns, 'TCP6:[fd77::1]:8080', 'web');
});

test('a port with hostIP holds for this address only, and one container a port', { skip }, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  sh('ip addr add 192.168.77.9/24 dev up0');
  const [one, two] = [makePod(t, 2), makePod(t, 3)];
  await answer(t, one.netns, 'TCP-LISTEN:80', 'one');
  await answer(t, two.netns, 'TCP-LISTEN:80', 'two');
  await added(b, one, [{ ...WEB, hostIP: '192.168.77.9' }]);
  silent(far, 'TCP:192.168.77.1:8080');
  await added(b, two, [{ ...WEB, hostIP: '' }]);
  answered(far, 'TCP:192.168.77.9:8080', 'one');
  answered(far, 'TCP:192.168.77.1:8080', 'two');
  const third = makePod(t, 4);
  const refused = await b.call('ADD', portmap, conf(third, [WEB]), third.env);
  assert.equal(refused.json?.code, 113);
  assert.match(String(refused.json?.msg), /port 8080 of the node: container container-3 has it/);
});

test('keys of a mapping are matched without regard to case, as containerd writes them', { skip }, async (t) => {
  const b = node(t);
  const pod = makePod(t, 2);
  await added(b, pod, [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }]);
  assert.match(elements(), /tcp \. 8080 comment "net container-2 eth0" : 10\.9\.0\.2 \. 80/);
});

test('UDP and TCP of the same number are two ports', { skip }, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  const [one, two] = [makePod(t, 2), makePod(t, 3)];
  await answer(t, one.netns, 'UDP-LISTEN:53', 'udp');
  await answer(t, two.netns, 'TCP-LISTEN:53', 'tcp');
  await added(b, one, [{ hostPort: 5300, containerPort: 53, protocol: 'udp' }]);
  await added(b, two, [{ hostPort: 5300, containerPort: 53, protocol: 'TCP' }]);
  answered(far, 'UDP:192.168.77.1:5300', 'udp');
  answered(far, 'TCP:192.168.77.1:5300', 'tcp');
});

test('a UDP flow that was there before goes to the new pod, and not to one that is gone', { skip }, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  const [one, two] = [makePod(t, 2), makePod(t, 3)];
  await answer(t, one.netns, 'UDP-LISTEN:53', 'one');
  await answer(t, two.netns, 'UDP-LISTEN:53', 'two');
  const dns = [{ hostPort: 5300, containerPort: 53, protocol: 'udp' }];
  // The same source port each time: for conntrack it is one flow.
  const from = 'UDP:192.168.77.1:5300,sourceport=4444,reuseaddr';
  silent(far, from);
  await added(b, one, dns);
  answered(far, from, 'one');
  await b.ok('DEL', portmap, conf(one, dns), one.env);
  await added(b, two, dns);
  answered(far, from, 'two');
});

test('snat false leaves 127.0.0.1 alone; masqAll hides who asks', { skip }, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  const pod = makePod(t, 2);
  await answer(t, pod.netns, 'TCP-LISTEN:80', 'web');
  await added(b, pod, [WEB], { snat: false });
  silent(undefined, 'TCP:127.0.0.1:8080');
  answered(far, 'TCP:192.168.77.1:8080', 'web');
  await b.ok('DEL', portmap, conf(pod, [WEB]), pod.env);
  await added(b, pod, [WEB], { masqAll: true });
  assert.equal(ask(far, 'TCP:192.168.77.1:8080'), 'web 10.9.0.1');
  await b.ok('CHECK', portmap, conf(pod, [WEB], { masqAll: true }), pod.env);
  await b.ok('DEL', portmap, conf(pod, [WEB]), pod.env);
  assert.equal(elements(), '');
});

test('conditions keep packets out that do not fulfil them, in the words of nft and of iptables', {
  skip,
}, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  sh('ip addr add 192.168.78.1/24 dev up0');
  sh('ip route add 192.168.78.0/24 dev eth0', far);
  const pod = makePod(t, 2);
  await answer(t, pod.netns, 'TCP-LISTEN:80', 'web');
  for (const conditionsV4 of [
    ['ip', 'daddr', '!=', '192.168.78.0/24'],
    ['!', '-d', '192.168.78.0/24'],
  ]) {
    await added(b, pod, [WEB], { conditionsV4 });
    answered(far, 'TCP:192.168.77.1:8080', 'web');
    silent(far, 'TCP:192.168.78.1:8080');
    await b.ok('CHECK', portmap, conf(pod, [WEB], { conditionsV4 }), pod.env);
    await b.ok('DEL', portmap, conf(pod, [WEB], { conditionsV4 }), pod.env);
  }
  const refused = await b.call('ADD', portmap, conf(pod, [WEB], { conditionsV4: ['-m', 'owner'] }), pod.env);
  assert.equal(refused.json?.code, 7);
  assert.match(String(refused.json?.msg), /conditionsV4.*"-m"/);
});

test('a + at the end of an interface’s name, in iptables’ words, stands for all that begin so', { skip }, async (t) => {
  const b = node(t);
  const far = makeNeighbour(t);
  const [pod, other] = [makePod(t, 2), makePod(t, 3)];
  await answer(t, pod.netns, 'TCP-LISTEN:80', 'web');
  const conditionsV4 = ['-i', 'up+'];
  await added(b, pod, [WEB], { conditionsV4 });
  answered(far, 'TCP:192.168.77.1:8080', 'web');
  silent(other.netns, 'TCP:192.168.77.1:8080');
  await b.ok('CHECK', portmap, conf(pod, [WEB], { conditionsV4 }), pod.env);
  await b.ok('DEL', portmap, conf(pod, [WEB], { conditionsV4 }), pod.env);
});

test('DEL needs neither prevResult nor netns nor ports, and comes twice', { skip }, async (t) => {
  const b = node(t);
  const pod = makePod(t, 2);
  await b.ok('DEL', portmap, conf(undefined, []), { ...pod.env, CNI_NETNS: '' });
  await added(b, pod, [WEB]);
  await b.ok('DEL', portmap, conf(undefined, []), { ...pod.env, CNI_NETNS: '' });
  await b.ok('DEL', portmap, conf(undefined, []), { ...pod.env, CNI_NETNS: '' });
  assert.equal(elements(), '');
});

test('GC removes what is not named as valid, of its own network only', { skip }, async (t) => {
  const b = node(t);
  const [kept, stale, foreign] = [makePod(t, 2), makePod(t, 3), makePod(t, 4)];
  await added(b, kept, [WEB]);
  await added(b, stale, [{ ...WEB, hostPort: 8081 }]);
  await b.ok('ADD', portmap, { ...conf(foreign, [{ ...WEB, hostPort: 8082 }]), name: 'net-2' }, foreign.env);
  const valid = [{ containerID: kept.containerId, ifname: 'eth0' }];
  await b.ok('GC', portmap, { ...conf(undefined, []), 'cni.dev/valid-attachments': valid });
  assert.match(elements(), /10\.9\.0\.2 [\s\S]*10\.9\.0\.4 |10\.9\.0\.4 [\s\S]*10\.9\.0\.2 /);
  assert.doesNotMatch(elements(), /10\.9\.0\.3/);
});

test('CHECK names what is missing: an element, a rule, the table, route_localnet', { skip }, async (t) => {
  const b = node(t);
  const pod = makePod(t, 2);
  const differs = async (said: RegExp) => {
    const { json } = await b.call('CHECK', portmap, conf(pod, [WEB]), pod.env);
    assert.equal(json?.code, 112);
    assert.match(String(json?.msg), said);
    await added(b, pod, [WEB]);
    await b.ok('CHECK', portmap, conf(pod, [WEB]), pod.env);
  };
  await added(b, pod, [WEB]);
  sh('nft delete element inet polder_portmap ports4 { tcp . 8080 }');
  await differs(/element 6 \. 8080 of ports4 is missing/);
  sh('nft flush chain inet polder_portmap prerouting');
  await differs(/rules of chain prerouting/);
  sh('nft delete table inet polder_portmap');
  await differs(/table inet polder_portmap is missing/);
  sh('sysctl -qw net.ipv4.conf.cni0.route_localnet=0');
  await differs(/route_localnet is not 1/);
});

test('without ports, or without an address, the result is passed on and nothing is made', { skip }, async (t) => {
  const b = node(t);
  const pod = makePod(t, 2);
  assert.deepEqual(await added(b, pod, []), { ...pod.prevResult, cniVersion: '1.1.0' });
  assert.equal(sh('nft list tables'), '');
});

test('bad configurations are refused with the key', { skip }, async (t) => {
  const b = node(t);
  const pod = makePod(t, 2);
  const cases: [object, RegExp][] = [
    [conf(pod, [{ ...WEB, hostPort: 0 }]), /portMappings\[0\]\.hostPort/],
    [conf(pod, [{ ...WEB, containerPort: 70000 }]), /portMappings\[0\]\.containerPort/],
    [conf(pod, [{ ...WEB, protocol: 'icmp' }]), /portMappings\[0\]\.protocol/],
    [conf(pod, [{ ...WEB, hostIP: 'x' }]), /portMappings\[0\]\.hostIP/],
    [conf(pod, [WEB], { markMasqBit: 40 }), /markMasqBit/],
    [conf(pod, [WEB], { markMasqBit: 4, externalSetMarkChain: 'X' }), /externalSetMarkChain/],
    [conf(pod, [WEB], { backend: 'pf' }), /backend/],
    [conf(undefined, [WEB]), /prevResult is missing/],
  ];
  for (const [bad, said] of cases) {
    const { json } = await b.call('ADD', portmap, bad, pod.env);
    assert.equal(json?.code, 7);
    assert.match(String(json?.msg), said);
  }
  await b.ok('STATUS', portmap, conf(undefined, []));
});
