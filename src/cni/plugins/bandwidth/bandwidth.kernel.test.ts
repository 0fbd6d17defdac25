import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { bandwidth } from '#cni/plugins/bandwidth/bandwidth.ts';
import { chainBed, makeBridge, makePod, sh, type TestPod } from '#cni/testing/chain-bed.ts';
import { inNetns, inNewNetns } from '#kernel/netns/enter.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

const REFERENCE = '/usr/lib/cni/bandwidth';
const hasIfb = () => inNewNetns(() => spawnSync('ip', ['link', 'add', 'i', 'type', 'ifb']).status === 0);
const skip = noKernel || (hasIfb() ? false : 'the kernel has no ifb');
const noIperf = skip || (spawnSync('iperf3', ['-v']).status === 0 ? false : 'needs iperf3');

const MBIT = 1_000_000;

function bedWithPod(t: TestContext) {
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  const conf = (more: object, prev = true) => ({
    cniVersion: '1.0.0',
    name: 'net',
    type: 'bandwidth',
    ...(prev && { prevResult: pod.prevResult }),
    ...more,
  });
  return { b, pod, conf };
}

const ifbs = () => sh('ip -br link show type ifb | cut -d" " -f1');

/** Bits per second that iperf3's receiver counts in a second, after one of warming up. */
async function measured(t: TestContext, pod: TestPod, reverse: boolean, bind = ''): Promise<number> {
  const server = inNetns(pod.netns, () =>
    spawn('iperf3', ['-s', '-1', '--forceflush'], { stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  t.after(() => server.kill('SIGKILL'));
  await once(server.stdout, 'data');
  const client = sh(`timeout 10 iperf3 -c ${pod.addr} -J -t 1.5 -O 0.5 ${reverse ? '-R' : ''} ${bind}`);
  return JSON.parse(client).end.sum_received.bits_per_second;
}

function near(bits: number, wanted: number): void {
  assert.ok(bits > 0.5 * wanted && bits < 1.5 * wanted, `${Math.round(bits / 1000)} kb/s, wanted ${wanted / 1000}`);
}

test('traffic to the pod and from it has the rates that were asked for', { skip: noIperf }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const limits = { ingressRate: 40 * MBIT, ingressBurst: MBIT, egressRate: 20 * MBIT, egressBurst: MBIT };
  await b.ok('ADD', bandwidth, conf({ runtimeConfig: { bandwidth: limits } }), pod.env);
  near(await measured(t, pod, false), 40 * MBIT);
  near(await measured(t, pod, true), 20 * MBIT);
});

test('a network that is not shaped is fast, and one that alone is shaped is slow', { skip: noIperf }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  sh('ip addr add 10.77.0.1/32 dev lo');
  t.after(() => sh('ip addr del 10.77.0.1/32 dev lo'));
  const rates = { ingressRate: 20 * MBIT, ingressBurst: MBIT };
  const wanted = conf({ ...rates, unshapedSubnets: ['10.77.0.0/16', 'fd77::/48'] });
  await b.ok('ADD', bandwidth, wanted, pod.env);
  await b.ok('CHECK', bandwidth, wanted, pod.env);
  near(await measured(t, pod, false), 20 * MBIT);
  assert.ok((await measured(t, pod, false, '-B 10.77.0.1')) > 60 * MBIT);
  await b.ok('ADD', bandwidth, conf({ ...rates, shapedSubnets: ['10.77.0.0/16'] }), pod.env);
  assert.ok((await measured(t, pod, false)) > 60 * MBIT);
  near(await measured(t, pod, false, '-B 10.77.0.1'), 20 * MBIT);
});

test('an address of a network stands for the network, as Go reads it', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const rates = { ingressRate: MBIT, ingressBurst: MBIT };
  const of = (...shapedSubnets: string[]) => conf({ ...rates, shapedSubnets });
  await b.ok('ADD', bandwidth, of('10.1.2.3/8', '10.3.2.1/8', 'fd77::5/48'), pod.env);
  const filters = sh(`tc filter show dev ${pod.hostIfname}`);
  await b.ok('CHECK', bandwidth, of('10.0.0.0/8', 'fd77::/48'), pod.env);
  await b.ok('ADD', bandwidth, of('10.0.0.0/8', 'fd77::/48'), pod.env);
  assert.equal(sh(`tc filter show dev ${pod.hostIfname}`), filters);
});

const LIMITS = { IngressRate: 8 * MBIT, IngressBurst: 2 ** 31 - 1, EgressRate: 4 * MBIT, EgressBurst: 2 ** 31 - 1 };

test('the result has the ifb, CHECK compares, DEL removes it, and both come twice', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const wanted = conf({ runtimeConfig: { bandwidth: LIMITS } });
  const result = await b.ok('ADD', bandwidth, wanted, pod.env);
  const [ifb] = Object(result.interfaces).slice(-1);
  assert.equal(ifb.name, ifbs());
  assert.equal(Object(result.interfaces).length, 4);
  await b.ok('CHECK', bandwidth, wanted, pod.env);
  assert.match(sh(`tc qdisc show dev ${pod.hostIfname}`), /tbf 1: root .*rate 8Mbit[\s\S]*ingress ffff:/);
  await b.ok('ADD', bandwidth, wanted, pod.env);
  await b.ok('CHECK', bandwidth, wanted, pod.env);
  sh(`tc qdisc change dev ${ifbs()} root handle 1: tbf rate 1mbit burst 10k limit 20k`);
  const { json } = await b.call('CHECK', bandwidth, wanted, pod.env);
  assert.equal(json?.code, 112);
  assert.match(String(json?.msg), /lets 125000 bytes\/s out, not 500000/);
  await b.ok('DEL', bandwidth, conf({}, false), { ...pod.env, CNI_NETNS: '' });
  await b.ok('DEL', bandwidth, conf({}, false), { ...pod.env, CNI_NETNS: '' });
  assert.equal(ifbs(), '');
});

test('without limits the result is passed on and nothing is made', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const before = sh('tc qdisc');
  assert.deepEqual(
    await b.ok('ADD', bandwidth, conf({ runtimeConfig: { bandwidth: { ingressRate: 0 } } }), pod.env),
    pod.prevResult,
  );
  assert.equal(sh('tc qdisc'), before);
});

test('GC removes the ifb of what is not valid, and no other', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const other = makePod(t, 3);
  const wanted = { egressRate: MBIT, egressBurst: MBIT };
  await b.ok('ADD', bandwidth, conf(wanted), pod.env);
  await b.ok('ADD', bandwidth, conf({ ...wanted, prevResult: other.prevResult }), other.env);
  sh('ip link add foreign type ifb');
  const valid = [{ containerID: pod.containerId, ifname: 'eth0' }];
  await b.ok('GC', bandwidth, { ...conf({}, false), 'cni.dev/valid-attachments': valid });
  assert.equal(ifbs().split('\n').length, 2);
  await b.ok('CHECK', bandwidth, conf(wanted), pod.env);
});

test('bad configurations are refused with the key, and a failed ADD leaves nothing', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const before = sh('tc qdisc; ip -br link');
  const cases: [object, RegExp][] = [
    [conf({ ingressRate: 1000 }), /ingressBurst/],
    [conf({ egressBurst: 1000 }), /egressRate/],
    [conf({ egressBurst: '1' }), /egressBurst/],
    [conf({ ingressRate: 1000, ingressBurst: 2 ** 40 }), /ingressBurst/],
    [conf({ ingressRate: 1000, ingressBurst: 1000, unshapedSubnets: ['10.0.0.1'] }), /unshapedSubnets\[0\]/],
    [
      conf({ ingressRate: 1000, ingressBurst: 1000, unshapedSubnets: ['10.0.0.0/8'], shapedSubnets: ['::/0'] }),
      /shapedSubnets/,
    ],
    [conf({ ingressRate: 1000, ingressBurst: 1000 }, false), /prevResult is missing/],
  ];
  for (const [bad, said] of cases) {
    const { json } = await b.call('ADD', bandwidth, bad, pod.env);
    assert.equal(json?.code, 7);
    assert.match(String(json?.msg), said);
  }
  const noVeth = await b.call('ADD', bandwidth, conf({ ingressRate: 8000, ingressBurst: 8000 }), {
    ...pod.env,
    CNI_IFNAME: 'lo',
  });
  assert.match(String(noVeth.json?.msg), /lo .*is no veth/);
  assert.equal(sh('tc qdisc; ip -br link'), before);
  await b.ok('STATUS', bandwidth, conf({}, false));
});

test('the reference plugin makes the same, and what it made is checked and removed by ours', {
  skip: skip || (existsSync(REFERENCE) ? false : 'no reference plugins'),
}, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const wanted = conf({ ingressRate: 8 * MBIT, ingressBurst: 8 * MBIT, egressRate: 4 * MBIT, egressBurst: 8 * MBIT });
  const env = { ...pod.env, CNI_COMMAND: 'ADD', CNI_PATH: '/usr/lib/cni' };
  const theirs = spawnSync(REFERENCE, { input: JSON.stringify(wanted), env, encoding: 'utf8' });
  assert.equal(theirs.status, 0, theirs.stdout);
  const name = ifbs();
  const see = () => {
    const qdiscs = sh(`tc qdisc show dev ${pod.hostIfname}; tc qdisc show dev ${name}`).replaceAll(
      /burst \S+|lat \S+/g,
      '',
    );
    // Theirs has the same action twice, of which the second never comes to its turn.
    return [qdiscs, ...(sh(`tc filter show dev ${pod.hostIfname} ingress`).match(/match.*|action order 1.*/g) ?? [])];
  };
  const made = see();
  await b.ok('CHECK', bandwidth, wanted, pod.env);
  await b.ok('DEL', bandwidth, conf({}, false), pod.env);
  assert.equal(ifbs(), '');
  const ours = await b.ok('ADD', bandwidth, wanted, pod.env);
  assert.equal(ifbs(), name);
  assert.deepEqual(see(), made);
  const withoutMac = (result: object): unknown =>
    JSON.parse(JSON.stringify(result, (key, value) => (key === 'mac' ? '' : value)));
  assert.deepEqual(withoutMac(ours), withoutMac(JSON.parse(theirs.stdout)));
});
