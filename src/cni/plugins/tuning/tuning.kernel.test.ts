import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ALLOW_LIST } from '#cni/plugins/tuning/sysctl.ts';
import { tuning } from '#cni/plugins/tuning/tuning.ts';
import { answerOf, bed, noBed, pathOf, ROUTED, SHIM } from '#cni/testing/bed.ts';
import { chainBed, macOf, makeBridge, makePod, sh, type TestPod } from '#cni/testing/chain-bed.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel;
const REFERENCE = '/usr/lib/cni/tuning';

function bedWithPod(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'pt-tuning-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  const conf = (more: object, prev = true) => ({
    cniVersion: '1.0.0',
    name: 'net',
    type: 'tuning',
    dataDir,
    ...(prev && { prevResult: pod.prevResult }),
    ...more,
  });
  return { b, pod, conf, dataDir };
}

/** Words of `ip -d link` that tell what may be tuned. */
function linkWords(pod: TestPod): Record<string, unknown> {
  const [link] = JSON.parse(sh('ip -j -d link show eth0', pod.netns));
  const { address, mtu, txqlen, flags } = link;
  return { address, mtu, txqlen, promisc: flags.includes('PROMISC'), allmulti: flags.includes('ALLMULTI') };
}

const sysctl = (pod: TestPod, name: string) => sh(`sysctl -n ${name}`, pod.netns);

const ALL = {
  mac: 'c2:b0:57:49:47:f1',
  mtu: 1454,
  promisc: true,
  allmulti: true,
  txQLen: 17,
  sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1', 'net.ipv4.tcp_rmem': '4096 90000 6000000' },
};

const MACS = ['c2:b0:57:49:47:f1', 'c2:b0:57:49:47:f2', 'c2:b0:57:49:47:f3', 'c2:b0:57:49:47:f4'];

test('ADD tunes the interface and the parameters, CHECK agrees, DEL puts everything back', { skip }, async (t) => {
  const { b, pod, conf, dataDir } = bedWithPod(t);
  const before = linkWords(pod);
  const rmem = sysctl(pod, 'net.ipv4.tcp_rmem');
  const result = await b.ok('ADD', tuning, conf(ALL), pod.env);
  const interfaces = Object(result.interfaces);
  assert.equal(interfaces[2].mac, ALL.mac);
  assert.deepEqual(linkWords(pod), { address: ALL.mac, mtu: 1454, txqlen: 17, promisc: true, allmulti: true });
  assert.equal(sysctl(pod, 'net.ipv4.conf.eth0.arp_filter'), '1');
  assert.equal(sysctl(pod, 'net.ipv4.tcp_rmem'), '4096\t90000\t6000000');
  await b.ok('CHECK', tuning, conf({ ...ALL, prevResult: result }, false), pod.env);
  await b.ok('DEL', tuning, conf(ALL), pod.env);
  assert.deepEqual(linkWords(pod), before);
  assert.equal(sysctl(pod, 'net.ipv4.conf.eth0.arp_filter'), '0');
  assert.equal(sysctl(pod, 'net.ipv4.tcp_rmem'), rmem);
  assert.deepEqual(readdirSync(dataDir), []);
  await b.ok('DEL', tuning, conf(ALL), pod.env);
});

test('a change of the MAC keeps neighbours set by hand, and the node still finds the pod', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  sh('ip neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee nud permanent dev eth0', pod.netns);
  sh('ip -6 neigh add fe80::1 lladdr ee:ee:ee:ee:ee:ee nud permanent dev eth0', pod.netns);
  sh(`ip -6 neigh add fd09::2 lladdr ${macOf('eth0', pod.netns)} nud permanent dev cni0`);
  sh('ping -c1 -W2 10.9.0.2');
  await b.ok('ADD', tuning, conf({ runtimeConfig: { Mac: ALL.mac } }), pod.env);
  assert.match(sh('ip neigh', pod.netns), /169\.254\.1\.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT/);
  assert.match(sh('ip -6 neigh', pod.netns), /fe80::1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT/);
  assert.match(sh('ip -6 neigh'), new RegExp(`fd09::2 dev cni0 lladdr ${ALL.mac} PERMANENT`));
  sh('ping -c1 -W1 10.9.0.2');
  sh('ping -c1 -W1 fd09::2');
});

test('the MAC comes from CNI_ARGS, args.cni or the runtime, and args.cni also has the other keys', {
  skip,
}, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const env = { ...pod.env, CNI_ARGS: 'IgnoreUnknown=1;MAC=c2:b0:57:49:47:f2' };
  await b.ok('ADD', tuning, conf({}), env);
  assert.equal(linkWords(pod).address, 'c2:b0:57:49:47:f2');
  await b.ok(
    'ADD',
    tuning,
    conf({ mtu: 1400, args: { cni: { mac: ALL.mac, mtu: 1410, sysctl: { 'net.core.somaxconn': '500' } } } }),
    pod.env,
  );
  assert.deepEqual([linkWords(pod).address, linkWords(pod).mtu], [ALL.mac, 1410]);
  assert.equal(sysctl(pod, 'net.core.somaxconn'), '500');
});

/** Keys of a configuration, and of CNI_ARGS; what args.cni says goes before all. */
const OVERRIDES: readonly (readonly [string, object, (string | undefined)?])[] = [
  ['args.cni off', { promisc: true, mtu: 1400, args: { cni: { promisc: false, mtu: 0 } } }],
  ['args.cni on', { promisc: false, mtu: 1400, args: { cni: { promisc: true, mtu: 1410 } } }],
  ['allmulti off', { allmulti: true, args: { cni: { allmulti: false } } }],
  ['null is absent', { promisc: true, mtu: 1400, args: { cni: { promisc: null, mtu: null } } }],
  ['mac of args.cni', { mac: MACS[0], runtimeConfig: { mac: MACS[1] }, args: { cni: { mac: MACS[2] } } }, MACS[3]],
  ['mac of the runtime', { mac: MACS[0], runtimeConfig: { mac: MACS[1] } }, MACS[3]],
  ['mac of CNI_ARGS', { mac: MACS[0] }, MACS[3]],
  ['an empty mac of the runtime', { mac: MACS[0], runtimeConfig: { mac: '' } }, MACS[3]],
  ['its own mac', { mac: MACS[0] }],
  [
    'sysctl of args.cni',
    { sysctl: { 'net.core.somaxconn': '501' }, args: { cni: { sysctl: { 'net.ipv4.ip_default_ttl': '9' } } } },
  ],
];

for (const [name, keys, mac] of OVERRIDES) {
  test(`args.cni, runtimeConfig, CNI_ARGS and the configuration go before one another as with the reference: ${name}`, {
    skip: skip || (existsSync(REFERENCE) ? false : 'no reference plugins'),
  }, async (t) => {
    const { b, pod: ours, conf, dataDir } = bedWithPod(t);
    const theirs = makePod(t, 3);
    const args = mac === undefined ? {} : { CNI_ARGS: `IgnoreUnknown=1;MAC=${mac}` };
    await b.ok('ADD', tuning, conf(keys), { ...ours.env, ...args });
    const input = JSON.stringify(conf({ ...keys, prevResult: theirs.prevResult }));
    const env = { ...theirs.env, ...args, CNI_COMMAND: 'ADD', CNI_PATH: '/usr/lib/cni' };
    const ran = spawnSync(REFERENCE, { input, env, encoding: 'utf8' });
    assert.equal(ran.status, 0, ran.stdout);
    const see = (pod: TestPod) => {
      const { address, ...words } = linkWords(pod);
      const tuned = ['net.core.somaxconn', 'net.ipv4.ip_default_ttl'].map((key) => sysctl(pod, key));
      return [MACS.includes(String(address)) && address, words, tuned];
    };
    assert.deepEqual(see(ours), see(theirs));
    await b.ok('DEL', tuning, conf({ dataDir }), ours.env);
  });
}

test('CHECK names every difference', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  await b.ok('ADD', tuning, conf(ALL), pod.env);
  sh('ip link set eth0 mtu 1300 promisc off && sysctl -qw net.ipv4.conf.eth0.arp_filter=0', pod.netns);
  const { json } = await b.call('CHECK', tuning, conf(ALL), pod.env);
  assert.equal(json?.code, 112);
  assert.match(String(json?.msg), /mtu 1300, not 1454.*promisc false, not true.*arp_filter is 0, not 1/);
});

test('a failed ADD leaves nothing changed', { skip }, async (t) => {
  const { b, pod, conf, dataDir } = bedWithPod(t);
  const before = linkWords(pod);
  const bad = { ...ALL, sysctl: { 'net.core.somaxconn': '500', 'net.ipv4.nothing': '1' } };
  const refused = await b.call('ADD', tuning, conf(bad), pod.env);
  assert.match(String(refused.json?.msg), /sysctl -w net\/ipv4\/nothing.*no such parameter/);
  assert.notEqual(sysctl(pod, 'net.core.somaxconn'), '500');
  const tooSmall = await b.call(
    'ADD',
    tuning,
    conf({ mtu: 68, mac: ALL.mac, allmulti: true, dataDir: '/proc/nothing' }),
    pod.env,
  );
  assert.equal(tooSmall.json?.code, 5);
  assert.deepEqual(linkWords(pod), before);
  assert.deepEqual(readdirSync(dataDir), []);
});

test('DEL undoes an ADD that was killed after its first change', { skip }, async (t) => {
  const { b, pod, conf, dataDir } = bedWithPod(t);
  const before = linkWords(pod);
  const args = [join(import.meta.dirname, '../../testing/die-at-sysctl.ts')];
  const env = { ...process.env, ...pod.env, CNI_COMMAND: 'ADD' };
  const killed = spawnSync(process.execPath, args, { input: JSON.stringify(conf(ALL)), env, encoding: 'utf8' });
  assert.equal(killed.signal, 'SIGKILL', killed.stderr);
  assert.equal(sysctl(pod, 'net.ipv4.conf.eth0.arp_filter'), '1');
  await b.ok('DEL', tuning, conf(ALL), pod.env);
  assert.equal(sysctl(pod, 'net.ipv4.conf.eth0.arp_filter'), '0');
  assert.deepEqual(linkWords(pod), before);
  assert.deepEqual(readdirSync(dataDir), []);
});

test('what an ADD killed while it saved has left is no backup, and goes with DEL', { skip }, async (t) => {
  const { b, pod, conf, dataDir } = bedWithPod(t);
  writeFileSync(join(dataDir, `${pod.containerId}_eth0.json.new`), '{"network":"net","mtu":12');
  await b.ok('DEL', tuning, conf(ALL), pod.env);
  assert.equal(linkWords(pod).mtu, 1500);
  assert.deepEqual(readdirSync(dataDir), []);
});

test('bad configurations are refused with the key', { skip }, async (t) => {
  const { b, pod, conf } = bedWithPod(t);
  const cases: [object, RegExp][] = [
    [conf({ sysctl: { 'kernel.hostname': 'x' } }), /sysctl\.kernel\.hostname/],
    [conf({ sysctl: { 'net/../kernel/hostname': 'x' } }), /sysctl\./],
    [conf({ sysctl: { 'net.core.somaxconn': 5 } }), /sysctl\.net\.core\.somaxconn/],
    [conf({ mac: '01:00:00:00:00:00' }), /mac/],
    [conf({ mtu: 5 }), /mtu/],
    [conf({ promisc: 'yes' }), /promisc/],
    [conf({ mtu: 1400 }, false), /prevResult is missing/],
  ];
  for (const [bad, said] of cases) {
    const { json } = await b.call('ADD', tuning, bad, pod.env);
    assert.equal(json?.code, 7);
    assert.match(String(json?.msg), said);
  }
  await b.ok('STATUS', tuning, conf({}));
});

test('where the node has an allow-list, other parameters are refused with the key', { skip: noBed() }, async (t) => {
  await using b = await bed(t, ROUTED);
  using pod = scratchNetns();
  sh('ip link add eth0 type bridge', pod);
  const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0', POLDER_CNI_SOCKET: b.socketPath };
  // The caller's own view of /etc, as a container runtime in a container has it.
  const script = `mount -t tmpfs none /etc && mkdir -p /etc/cni/tuning && printf '%s\\n' "$1" >${ALLOW_LIST}
    ln -s "$2" /etc/tuning && exec /etc/tuning`;
  const call = (list: string, command: string, sysctl: object) => {
    const conf = { cniVersion: '1.0.0', name: 'net', type: 'tuning', dataDir: b.dir, sysctl, prevResult: { ips: [] } };
    const args = ['-m', 'sh', '-c', script, 'sh', list, SHIM];
    return answerOf(spawn('unshare', args, { env: { ...process.env, ...env, CNI_COMMAND: command } }), conf);
  };
  const list = '^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$';
  const refused = await call(list, 'ADD', { 'net.ipv4.conf.IFNAME.arp_filter': '1', 'net.core.somaxconn': '99' });
  assert.deepEqual([refused.exit, refused.json?.code], [1, 7], refused.stdout);
  assert.match(String(refused.json?.msg), /sysctl\.net\.core\.somaxconn is not allowed by .*allowlist\.conf/);
  assert.equal(sh('sysctl -n net.ipv4.conf.eth0.arp_filter', pod), '0');
  const done = await call(list, 'ADD', { 'net.ipv4.conf.IFNAME.arp_filter': '1' });
  assert.equal(done.exit, 0, done.stdout);
  assert.equal(sh('sysctl -n net.ipv4.conf.eth0.arp_filter', pod), '1');
  const posix = await call('(\n^net\\.core\\.[[:alpha:]]+$', 'CHECK', { 'net.core.somaxconn': '99' });
  assert.equal(posix.json?.code, 112, 'allowed, and not set');
  const unreadable = await call('(\n[', 'ADD', { 'net.ipv4.conf.IFNAME.arp_filter': '1' });
  assert.equal(unreadable.json?.code, 7, 'nothing is allowed');
});

test('DEL works without prevResult, netns and interface; GC forgets what is not valid', { skip }, async (t) => {
  const { b, pod, conf, dataDir } = bedWithPod(t);
  await b.ok('ADD', tuning, conf(ALL), pod.env);
  await b.ok('DEL', tuning, conf(ALL, false), { ...pod.env, CNI_NETNS: '/run/netns/gone' });
  await b.ok('DEL', tuning, conf(ALL, false), { ...pod.env, CNI_NETNS: '' });
  await b.ok('ADD', tuning, conf({ mtu: 1400 }), pod.env);
  await b.ok('ADD', tuning, { ...conf({ mtu: 1300 }), name: 'other' }, { ...pod.env, CNI_CONTAINERID: 'c9' });
  writeFileSync(join(dataDir, 'foreign.json'), '{}');
  await b.ok('GC', tuning, { ...conf({}, false), 'cni.dev/valid-attachments': [] });
  assert.deepEqual(readdirSync(dataDir).toSorted(), ['c9_eth0.json', 'foreign.json']);
});

test('what the reference plugin saved is put back by ours, and the result is the same', {
  skip: skip || (existsSync(REFERENCE) ? false : 'no reference plugins'),
}, async (t) => {
  const { b, pod, conf, dataDir } = bedWithPod(t);
  const before = linkWords(pod);
  const tuned = { mac: ALL.mac, mtu: 1454, promisc: true };
  const input = JSON.stringify(conf(tuned));
  const env = { ...pod.env, CNI_COMMAND: 'ADD', CNI_PATH: '/usr/lib/cni' };
  const run = spawnSync(REFERENCE, { input, env, encoding: 'utf8' });
  assert.equal(run.status, 0, run.stdout);
  const theirs = linkWords(pod);
  assert.ok(readFileSync(join(dataDir, `${pod.containerId}_eth0.json`), 'utf8').includes('mac'));
  await b.ok('CHECK', tuning, conf(tuned), pod.env);
  await b.ok('DEL', tuning, conf(tuned), pod.env);
  assert.deepEqual(linkWords(pod), before);
  const ours = await b.ok('ADD', tuning, conf(tuned), pod.env);
  assert.deepEqual(ours, JSON.parse(run.stdout));
  assert.deepEqual(linkWords(pod), theirs);
  // And the other way round.
  spawnSync(REFERENCE, { input, env: { ...env, CNI_COMMAND: 'DEL' } });
  assert.deepEqual(linkWords(pod), before);
});
