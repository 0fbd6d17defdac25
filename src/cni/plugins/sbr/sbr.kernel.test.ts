import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { sbr } from '#cni/plugins/sbr/sbr.ts';
import { chainBed, makeBridge, makePod, sh, type TestPod } from '#cni/testing/chain-bed.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel;
const REFERENCE = '/usr/lib/cni/sbr';

function bedWithPod(t: TestContext) {
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  const conf = (more: object = {}, prev = true) => ({
    cniVersion: '1.0.0',
    name: 'net',
    type: 'sbr',
    ...(prev && { prevResult: pod.prevResult }),
    ...more,
  });
  return { b, pod, conf };
}

function routing(pod: TestPod): string[] {
  const said = sh(
    'ip rule; ip -6 rule; ip route show table 100; ip route; ip -6 route show table 100; ip -6 route',
    pod.netns,
  );
  return said.split('\n').map(words);
}

function words(line: string): string {
  return line.trim().replaceAll(/\s+/g, ' ');
}

test('ADD routes by source, CHECK agrees, DEL takes the rules away', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  assert.deepEqual(await b.ok('ADD', sbr, conf(), pod.env), pod.prevResult);
  const lines = routing(pod);
  assert.ok(lines.includes('32765: from 10.9.0.2 lookup 100'), lines.join('\n'));
  assert.ok(lines.includes('default via 10.9.0.1 dev eth0'), lines.join('\n'));
  assert.equal(sh('ip route', pod.netns), '');
  assert.match(sh('ip route get 192.0.2.1 from 10.9.0.2', pod.netns), /via 10\.9\.0\.1 .*table 100/);
  assert.match(sh('ip -6 route get 2001:db8::1 from fd09::2', pod.netns), /via fd09::1 .*table 100/);
  sh('ping -c1 -W1 -I 10.9.0.2 10.9.0.1', pod.netns);
  await b.ok('CHECK', sbr, conf(), pod.env);
  await b.ok('DEL', sbr, conf({}, false), pod.env);
  assert.doesNotMatch(sh('ip rule; ip -6 rule', pod.netns), /lookup 100/);
  await b.ok('DEL', sbr, conf({}, false), pod.env);
  await b.ok('DEL', sbr, conf({}, false), { ...pod.env, CNI_NETNS: '/run/netns/gone' });
  const { json } = await b.call('CHECK', sbr, conf(), pod.env);
  assert.equal(json?.code, 112);
  assert.match(String(json?.msg), /rule from 10\.9\.0\.2\/32 is missing/);
});

test('with a table the rules lead there and routes stay', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const before = sh('ip route; ip -6 route', pod.netns);
  await b.ok('ADD', sbr, conf({ table: 200 }), pod.env);
  assert.match(sh('ip rule', pod.netns), /from 10\.9\.0\.2 lookup 200/);
  assert.equal(sh('ip route; ip -6 route', pod.netns), before);
  await b.ok('CHECK', sbr, conf({ table: 200 }), pod.env);
  await b.ok('DEL', sbr, conf({ table: 200 }), pod.env);
  assert.doesNotMatch(sh('ip rule', pod.netns), /lookup 200/);
});

test('a second interface gets the next table; a routed gateway is reached from it', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  await b.ok('ADD', sbr, conf(), pod.env);
  sh(
    'ip link add net1 type veth peer name net1p && ip addr add 10.8.0.2/32 dev net1 && ip link set net1p up && ip link set net1 up',
    pod.netns,
  );
  sh('ip route add 169.254.1.1 dev net1 && ip route add 10.8.0.0/16 via 169.254.1.1 dev net1', pod.netns);
  const prevResult = {
    interfaces: [{ name: 'net1', sandbox: '/x' }],
    ips: [{ address: '10.8.0.2/32', gateway: '169.254.1.1', interface: 0 }],
  };
  const env = { ...pod.env, CNI_IFNAME: 'net1' };
  await b.ok('ADD', sbr, conf({ prevResult }), env);
  const lines = sh('ip route show table 101', pod.netns);
  assert.match(lines, /default via 169\.254\.1\.1 dev net1/);
  assert.match(lines, /10\.8\.0\.0\/16 via 169\.254\.1\.1 dev net1/);
  await b.ok('CHECK', sbr, conf({ prevResult }), env);
});

test('an interface is known by its name, also where the result does not say that it is in the pod', {
  skip,
}, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const ips = [
    { address: '10.9.0.2/24', gateway: '10.9.0.1', interface: 1 },
    { address: '10.9.0.1/24', interface: 0 },
  ];
  const prevResult = { interfaces: [{ name: 'cni0' }, { name: 'eth0' }], ips };
  await b.ok('ADD', sbr, conf({ prevResult }), pod.env);
  assert.match(sh('ip rule', pod.netns), /from 10\.9\.0\.2 lookup 100/);
  assert.doesNotMatch(sh('ip rule', pod.netns), /from 10\.9\.0\.1 /);
  await b.ok('CHECK', sbr, conf({ prevResult }), pod.env);
});

/** A pod with two addresses of IPv4 in networks of their own, each with its gateway. */
function withSecondNetwork(pod: TestPod) {
  sh('ip addr add 10.8.0.5/24 dev eth0', pod.netns);
  const ips = [
    { address: '10.9.0.2/24', gateway: '10.9.0.1', interface: 2 },
    { address: '10.8.0.5/24', gateway: '10.8.0.1', interface: 2 },
  ];
  return { ...pod.prevResult, ips };
}

test('each gateway has a table of its own with the network of its addresses, and CHECK looks there', {
  skip,
}, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const prevResult = withSecondNetwork(pod);
  await b.ok('ADD', sbr, conf({ prevResult }), pod.env);
  const tables = [100, 101].map((table) => sh(`ip route show table ${table}`, pod.netns).split('\n').map(words));
  assert.deepEqual(tables, [
    ['default via 10.9.0.1 dev eth0', '10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.2'],
    ['default via 10.8.0.1 dev eth0', '10.8.0.0/24 dev eth0 proto kernel scope link src 10.8.0.5'],
  ]);
  assert.equal(sh('ip route', pod.netns), '');
  assert.match(sh('ip route get 192.0.2.1 from 10.8.0.5', pod.netns), /via 10\.8\.0\.1 .*table 101/);
  assert.match(sh('ip route get 192.0.2.1 from 10.9.0.2', pod.netns), /via 10\.9\.0\.1 .*table 100/);
  await b.ok('CHECK', sbr, conf({ prevResult }), pod.env);
  sh('ip route replace default via 10.8.0.7 dev eth0 table 101', pod.netns);
  const { json } = await b.call('CHECK', sbr, conf({ prevResult }), pod.env);
  assert.match(String(json?.msg), /table 101 has no route via 10\.8\.0\.1/);
  await b.ok('DEL', sbr, conf({}, false), pod.env);
  assert.doesNotMatch(sh('ip rule', pod.netns), /lookup 10[01]/);
});

test('two gateways of one network: each table has its own, and the routes by it', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  sh('ip addr add 10.9.0.6/24 dev eth0 && ip route add 172.16.0.0/16 via 10.9.0.9', pod.netns);
  const ips = [
    { address: '10.9.0.2/24', gateway: '10.9.0.1', interface: 2 },
    { address: '10.9.0.6/24', gateway: '10.9.0.9', interface: 2 },
    { address: '10.9.0.7/24', interface: 2 },
  ];
  const prevResult = { ...pod.prevResult, ips };
  await b.ok('ADD', sbr, conf({ prevResult }), pod.env);
  assert.match(
    sh('ip route show table 100', pod.netns),
    /^default via 10\.9\.0\.1 dev eth0 *\n10\.9\.0\.0\/24 [^\n]*$/,
  );
  assert.match(
    sh('ip route show table 101', pod.netns),
    /^default via 10\.9\.0\.9 dev eth0 *\n10\.9\.0\.0\/24 [^\n]*\n172\.16\.0\.0\/16 via 10\.9\.0\.9 dev eth0$/,
  );
  assert.match(sh('ip rule', pod.netns), /from 10\.9\.0\.7 lookup 100/, 'without a gateway: by the first in reach');
  await b.ok('CHECK', sbr, conf({ prevResult }), pod.env);
});

test('the reference plugin has the same tables for two addresses of one family', {
  skip: skip || (existsSync(REFERENCE) ? false : 'no reference plugins'),
}, async (t) => {
  const [ours, theirs] = [bedWithPod(t), makePod(t, 3)];
  await ours.b.ok('ADD', sbr, ours.conf({ prevResult: withSecondNetwork(ours.pod) }), ours.pod.env);
  // The same addresses: the pods' networks are apart.
  sh('ip addr flush dev eth0 && ip addr add 10.9.0.2/24 dev eth0 && ip route add default via 10.9.0.1', theirs.netns);
  const input = JSON.stringify(ours.conf({ prevResult: withSecondNetwork(theirs) }));
  const env = { ...theirs.env, CNI_COMMAND: 'ADD', CNI_PATH: '/usr/lib/cni' };
  const ran = spawnSync(REFERENCE, { input, env, encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stdout);
  const see = ({ netns }: TestPod) =>
    ['ip rule', 'ip route show table 100', 'ip route show table 101', 'ip route'].map((command) => sh(command, netns));
  assert.deepEqual(see(ours.pod), see(theirs));
});

test('bad configurations are refused, and nothing is changed', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const before = routing(pod);
  const cases: [object, RegExp][] = [
    [conf({}, false), /prevResult is missing/],
    [conf({ table: 'x' }), /table/],
    [conf({ prevResult: { ips: [] } }), /no address on eth0/],
  ];
  for (const [bad, said] of cases) {
    const { json } = await b.call('ADD', sbr, bad, pod.env);
    assert.equal(json?.code, 7);
    assert.match(String(json?.msg), said);
  }
  assert.deepEqual(routing(pod), before);
  await b.ok('STATUS', sbr, conf({}, false));
  await b.ok('GC', sbr, conf({}, false));
});

test('the reference plugin makes the same, but a table for each address where ours has one for each gateway of a family', {
  skip: skip || (existsSync(REFERENCE) ? false : 'no reference plugins'),
}, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const other = makePod(t, 3);
  const ours = await b.ok('ADD', sbr, conf({ prevResult: pod.prevResult }), pod.env);
  const env = { ...other.env, CNI_COMMAND: 'ADD', CNI_PATH: '/usr/lib/cni' };
  const input = JSON.stringify(conf({ prevResult: other.prevResult }));
  const theirs = spawnSync(REFERENCE, { input, env, encoding: 'utf8' });
  assert.equal(theirs.status, 0, theirs.stdout);
  const see = ({ netns }: TestPod, number: number, family: 4 | 6) => {
    const rules = sh(`ip -${family} rule`, netns);
    const table = /from (?:10\.9|fd09)\S+ lookup (\d+)/.exec(rules)?.[1] ?? 'none';
    // The link-local network stays in main with ours: an interface without it speaks no IPv6.
    const ways = [table, 'main'].flatMap((of) =>
      sh(`ip -${family} route show table ${of} | grep -v ^fe80; true`, netns).split('\n').sort(),
    );
    const all = [rules.replace(`lookup ${table}`, 'lookup OWN'), ...ways].join('\n');
    return { table, all: all.replaceAll(new RegExp(`(10\\.9\\.0\\.|fd09::)${number}\\b`, 'g'), 'POD') };
  };
  const tables = ([4, 6] as const).map((family) => {
    const [one, two] = [see(pod, 2, family), see(other, 3, family)];
    assert.equal(one.all, two.all);
    return [one.table, two.table];
  });
  assert.deepEqual(tables, [
    ['100', '100'],
    ['100', '101'],
  ]);
  assert.deepEqual(ours, pod.prevResult);
  assert.deepEqual(JSON.parse(theirs.stdout), other.prevResult);
});
