/** The kernel's own IPIP and WireGuard, brought to what the calculators say, with packets through them. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { calcNodeState } from '#calc/routes/node-state.ts';
import { BLOCKS, CLUSTERS, cluster, KEYS } from '#calc/testing/clusters.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { type KeyPair, makeKeyPair } from '#kernel/wireguard/keys.ts';
import { openWireguard } from '#kernel/wireguard/wireguard.ts';
import { parseAddr } from '#net/addr.ts';
import { hostPrefix, ifAddr, parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { want } from '#plan/want.ts';
import { type ClusterNode, deriveSynced, PROFILES, type Snapshot, type Synced } from '#spec/cluster.ts';
import { kernelHas } from '#sync/features.ts';
import { type Kernel, kernelSysctls } from '#sync/kernel.ts';
import { type Goal, type PassReport, runPass } from '#sync/pass.ts';
import { KEY_PAIRS, scratchNode } from '#sync/testing/scratch-node.ts';
import { readUnderlay } from '#sync/underlay.ts';

const options = { skip: noKernel };

function lacks(t: TestContext): boolean {
  const missing = (['ipip', 'wireguard'] as const).find((feature) => !kernelHas(feature));
  if (missing !== undefined) t.skip(`this kernel has no interfaces of kind ${missing}`);
  return missing !== undefined;
}

function goal(kernel: Kernel, snapshot: Snapshot): Goal {
  const underlay = readUnderlay(kernel.netlink, { ifname: 'eth0' });
  assert.ok(underlay);
  const wanted = deriveSynced(snapshot as Synced<Snapshot>, (value) => {
    const outcome = calcNodeState(value, underlay);
    if (outcome.kind !== 'ready') assert.fail(outcome.problem.sentence);
    return want(outcome.state);
  });
  return { kind: 'complete', wanted };
}

/** Nothing may fail and nothing may be left. */
async function reach(kernel: Kernel, snapshot: Snapshot): Promise<PassReport> {
  const report = await runPass(kernel, () => goal(kernel, snapshot));
  assert.deepEqual([report.failures, report.left, report.obstacles], [[], [], []]);
  return report;
}

test(
  'runPass leads from every state to every kind of tunnel and back, and a second time does nothing',
  options,
  async (t) => {
    if (lacks(t)) return;
    using node = scratchNode();
    const { netlink } = node.kernel;
    const names = Object.keys(CLUSTERS) as (keyof typeof CLUSTERS)[];
    const tunnels = names.filter((name) => /^(calico|wireguard)/.test(name));
    for (const name of [...tunnels, ...tunnels.toReversed(), 'flannel-host-gw'] as const) {
      await reach(node.kernel, CLUSTERS[name]);
      assert.deepEqual((await reach(node.kernel, CLUSTERS[name])).done, [], name);
    }
    const tunl0 = netlink.link('tunl0');
    assert.deepEqual([tunl0?.up, tunl0?.alias, tunl0?.mtu], [false, undefined, 1480], 'given back');
    assert.deepEqual(
      netlink.addresses().filter(({ link }) => link === 'tunl0'),
      [],
    );
    assert.deepEqual(
      netlink.links().filter(({ info }) => info.kind === 'wireguard'),
      [],
    );
    assert.deepEqual(
      netlink.rules().filter(({ protocol }) => protocol === 77),
      [],
    );
  },
);

test('runPass leaves a tunl0 alone that somebody uses, and says so', options, async (t) => {
  if (lacks(t)) return;
  using node = scratchNode();
  node.kernel.netlink.run([{ op: 'link.set', name: 'tunl0', change: { up: true } }]);
  const report = await runPass(node.kernel, () => goal(node.kernel, CLUSTERS['calico-ipip']));
  assert.deepEqual(
    report.obstacles.filter(({ kind }) => kind === 'taken').map(({ object }) => object),
    ['link tunl0'],
  );
});

test('readHave tells every peer of a device with many, each with many networks', options, async (t) => {
  if (lacks(t)) return;
  using node = scratchNode();
  const { netlink, wireguard } = node.kernel;
  netlink.run([{ op: 'link.add', link: { name: 'wg0', info: { kind: 'wireguard' } } }]);
  const peers = Array.from({ length: 60 }, (_, i) => ({
    publicKey: makeKeyPair().publicKey,
    keepalive: 0,
    allowedIps: Array.from({ length: 40 }, (_n, k) => parsePrefix(`10.${i}.${k}.0/24`)),
  }));
  assert.deepEqual(wireguard.run(peers.map((peer) => ({ op: 'wg.peer', device: 'wg0', peer }))), []);
  const seen = wireguard.device('wg0')?.peers ?? [];
  const byKey = new Map(seen.map(({ publicKey, allowedIps }) => [publicKey, [...allowedIps].sort()]));
  assert.equal(seen.length, peers.length);
  for (const { publicKey, allowedIps } of peers) assert.deepEqual(byKey.get(publicKey), [...allowedIps].sort());
});

/** One of two nodes on one wire: eth0, a pod's address (on lo), and what a pass needs. */
interface Machine {
  readonly ns: Netns;
  readonly kernel: Kernel;
  readonly name: string;
}

function twoMachines(keys: readonly KeyPair[]) {
  const stack = new DisposableStack();
  const ends = [stack.use(scratchNetns()), stack.use(scratchNetns())] as const;
  using first = openNetlink(ends[0].fd);
  const peer = { name: 'eth0', netns: ends[1].fd };
  assert.deepEqual(first.run([{ op: 'link.add', link: { name: 'eth0', info: { kind: 'veth' }, peer } }]), []);
  const machines = ends.map((ns, i): Machine => {
    const netlink = stack.use(openNetlink(ns.fd));
    const pod = parseAddr(`10.244.${i + 1}.5`);
    const failures = netlink.run([
      ...['lo', 'eth0'].map((name) => ({ op: 'link.set', name, change: { up: true } }) as const),
      { op: 'addr.add', address: { link: 'eth0', address: parseIfAddr(`192.168.1.10${i + 1}/24`), scope: 'global' } },
      { op: 'addr.add', address: { link: 'lo', address: ifAddr(pod, 32), scope: 'global' } },
    ]);
    assert.deepEqual(failures, []);
    const privateKeys = (key: string) => keys.find(({ publicKey }) => publicKey === key)?.privateKey;
    const kernel = {
      netlink,
      nft: stack.use(openNft(ns.fd)),
      sysctl: kernelSysctls(ns.fd),
      wireguard: stack.use(openWireguard(privateKeys, ns.fd)),
    };
    return { ns, kernel, name: `node${i + 1}` };
  });
  const [a, b] = machines;
  assert.ok(a && b);
  return { a, b, [Symbol.dispose]: () => stack.dispose() };
}

function seenBy(machine: Machine, of: Snapshot, keys: readonly string[]): Snapshot {
  const nodes: ClusterNode[] = of.nodes
    .slice(0, 2)
    .map((node, i) => ({ ...node, wireguardKeys: { 4: keys[i] ?? '' } }));
  const own = keys[machine.name === 'node1' ? 0 : 1] ?? '';
  return { ...of, nodes, local: { node: machine.name, endpoints: [], wireguardKeys: { 4: own } } };
}

/** From the one's pod to the other's, with a text in each packet. */
function ping(from: Machine, wait = 5): string {
  const [source, target] = from.name === 'node1' ? ['10.244.1.5', '10.244.2.5'] : ['10.244.2.5', '10.244.1.5'];
  const text = Buffer.from('not a secret').toString('hex');
  const args = ['-c', '3', '-i', '0.2', '-W', `${wait}`, '-p', text, '-I', source, target];
  return inNetns(from.ns, () => spawnSync('ping', args, { encoding: 'utf8' })).stdout;
}

/** What passes eth0 of the machine while `during` runs. */
async function captured(at: Machine, during: () => void): Promise<Buffer> {
  const args = ['--immediate-mode', '-U', '-i', 'eth0', '-w', '-'];
  const tcpdump = inNetns(at.ns, () => spawn('tcpdump', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  const chunks: Buffer[] = [];
  tcpdump.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise<void>((resolve, reject) => {
    tcpdump.stderr.on('data', (data) => /listening/.test(`${data}`) && resolve());
    tcpdump.on('error', reject);
  });
  during();
  tcpdump.kill('SIGINT');
  await once(tcpdump, 'close');
  return Buffer.concat(chunks);
}

const two = BLOCKS.map((each) => ({ ...each, networks: each.networks.filter((n) => !n.endsWith('/32')) }));

test('IPIP carries packets between pods inside packets of the nodes', options, async (t) => {
  if (lacks(t)) return;
  using machines = twoMachines(KEY_PAIRS);
  const snapshot = cluster({ ...PROFILES['calico-ipip'], distribution: 'agent' }, { nodes: two });
  for (const machine of [machines.a, machines.b]) await reach(machine.kernel, seenBy(machine, snapshot, []));
  const seen = await captured(machines.b, () => assert.match(ping(machines.a), / 0% packet loss/));
  // IPv4 with five words and protocol 4, then the inner header.
  const outer = Buffer.from([192, 168, 1, 101, 192, 168, 1, 102, 0x45]);
  assert.ok(seen.includes(outer) && seen.includes('not a secret'));
});

test('WireGuard encrypts between pods, takes new keys, and nothing readable passes the wire', options, async (t) => {
  if (lacks(t)) return;
  const fresh = makeKeyPair();
  using machines = twoMachines([...KEY_PAIRS, fresh]);
  const { a, b } = machines;
  const snapshot = cluster(PROFILES.wireguard, { nodes: two });
  for (const machine of [a, b]) await reach(machine.kernel, seenBy(machine, snapshot, KEYS));
  const seen = await captured(b, () => assert.match(ping(a), / 0% packet loss/));
  assert.ok(seen.length > 500 && !seen.includes('not a secret'));
  const [peer] = a.kernel.wireguard.device('wireguard.cali')?.peers ?? [];
  assert.ok(peer?.lastHandshake !== undefined && peer.rxBytes > 0);

  const rotated = [KEYS[0], fresh.publicKey];
  for (const machine of [b, a]) await reach(machine.kernel, seenBy(machine, snapshot, rotated));
  const after = await captured(b, () => assert.match(ping(a), / 0% packet loss/));
  assert.ok(!after.includes('not a secret'));
  assert.deepEqual(
    a.kernel.wireguard.device('wireguard.cali')?.peers.map(({ publicKey }) => publicKey),
    [fresh.publicKey],
  );
  // A restart knows nothing of before and has nothing to do.
  for (const machine of [a, b]) {
    assert.deepEqual((await reach(machine.kernel, seenBy(machine, snapshot, rotated))).done, []);
  }
});

test(
  'a profile that encrypts lets nothing readable out: no device, no key, a key that only one side has',
  options,
  async (t) => {
    if (lacks(t)) return;
    const fresh = makeKeyPair();
    using machines = twoMachines([...KEY_PAIRS, fresh]);
    const { a, b } = machines;
    const snapshot = cluster(PROFILES.wireguard, { nodes: two });
    const silent = async (when: string) => {
      const seen = await captured(b, () => assert.match(ping(a, 1), / 100% packet loss/, when));
      assert.ok(!seen.includes('not a secret'), when);
    };
    for (const machine of [a, b]) await reach(machine.kernel, seenBy(machine, snapshot, KEYS));
    assert.match(ping(a), / 0% packet loss/);

    assert.deepEqual(a.kernel.netlink.run([{ op: 'link.del', name: 'wireguard.cali' }]), []);
    await silent('somebody has deleted the device');
    await reach(a.kernel, seenBy(a, snapshot, KEYS));
    assert.match(ping(a), / 0% packet loss/);

    await reach(b.kernel, seenBy(b, snapshot, [KEYS[0], fresh.publicKey]));
    await silent('the other has taken a new key, and we have not heard of it');
    await reach(a.kernel, seenBy(a, snapshot, [KEYS[0]]));
    await silent('the other has said no key');
    await reach(a.kernel, seenBy(a, snapshot, [KEYS[0], fresh.publicKey]));
    assert.match(ping(a), / 0% packet loss/);
  },
);

test('WireGuard encrypts what nodes say to one another where that is asked for', options, async (t) => {
  if (lacks(t)) return;
  using machines = twoMachines(KEY_PAIRS);
  const base = cluster(PROFILES.wireguard, { nodes: two });
  const snapshot = { ...base, felix: { ...base.felix, wireguard: { ...base.felix.wireguard, hosts: true } } };
  const { a, b } = machines;
  for (const machine of [a, b]) await reach(machine.kernel, seenBy(machine, snapshot, KEYS));
  const text = Buffer.from('not a secret').toString('hex');
  const seen = await captured(b, () => {
    const args = ['-c', '3', '-i', '0.2', '-W', '5', '-p', text, '192.168.1.102'];
    const run = inNetns(a.ns, () => spawnSync('ping', args, { encoding: 'utf8' }));
    assert.match(run.stdout, / 0% packet loss/);
  });
  assert.ok(seen.length > 500 && !seen.includes('not a secret'));
  assert.deepEqual(
    a.kernel.netlink
      .routes({ table: 77 })
      .map(({ to }) => to)
      .includes(hostPrefix(parseAddr('192.168.1.102'))),
    true,
  );
});
