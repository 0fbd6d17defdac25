import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { bed, pathOf, ROUTED, type ShimAnswer } from '#cni/testing/bed.ts';
import { bothLives, noReference, ourNode } from '#cni/testing/differential.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noReference('bridge', 'host-local');

const RANGES = {
  ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
const V4 = { subnet: '10.9.0.0/24' };

const CASES: Readonly<Record<string, { conf: object; ipam?: object }>> = {
  'the plainest': { conf: {}, ipam: V4 },
  'a gateway': { conf: { isGateway: true }, ipam: { ...V4, routes: [{ dst: '0.0.0.0/0' }] } },
  'a default gateway, both families': { conf: { isDefaultGateway: true, mtu: 1400 }, ipam: { ...RANGES, routes: [] } },
  'hairpin, routes of both families': { conf: { isGateway: true, hairpinMode: true }, ipam: RANGES },
  promiscuous: { conf: { isGateway: true, promiscMode: true }, ipam: V4 },
  'layer 2': { conf: {} },
};

for (const [name, { conf, ipam }] of Object.entries(CASES)) {
  test(`bridge as the reference: ${name}`, { skip }, async (t) => {
    const b = await bed(t, ROUTED);
    const { ours, theirs } = await bothLives(b, (dataDir) => ({
      conf: { type: 'bridge', bridge: 'br7', ...conf, ...(ipam && { ipam: { type: 'host-local', dataDir, ...ipam } }) },
      ...(!ipam && { theirCheck: 'it calls an IPAM plugin that nobody named' }),
    }));
    assert.deepEqual(ours, theirs);
  });
}

/** Two pods of one node and what is behind the node: ipMasq, macspoofchk and portIsolation are seen by traffic. */
function confOf(dataDir: string, more: object) {
  const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]] };
  return { cniVersion: '1.1.0', name: 'net', type: 'bridge', bridge: 'br7', isDefaultGateway: true, ipam, ...more };
}

async function good(answer: Promise<ShimAnswer>): Promise<Record<string, unknown>> {
  const { exit, stdout, json } = await answer;
  assert.equal(exit, 0, stdout);
  return json ?? {};
}

test('bridge ipMasq: the pod leaves with the node’s address, and DEL, CHECK and GC know its rule', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  using outside = scratchNetns();
  node.sh(`ip link add out0 type veth peer name in0 netns ${pathOf(outside)}`);
  node.sh('ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up');
  inNetns(outside, () => spawnSync('sh', ['-c', 'ip addr add 192.0.2.2/24 dev in0; ip link set in0 up']));
  const conf = confOf(join(b.dir, 'ipam'), { ipMasq: true });
  const prevResult = await good(node.cni('ADD', conf));
  // Outside has no route back to the pod: only what is masqueraded gets an answer.
  node.sh('ping -c1 -W2 192.0.2.2', 'pod');
  node.sh('ping -c1 -W2 10.9.0.1', 'pod');
  await good(node.cni('CHECK', { ...conf, prevResult }));
  const rules = () => node.sh('nft list table inet polder_masquerade');
  assert.match(rules(), /10\.9\.0\.2 comment "polder .* c1\/eth0" : goto from-10\.9\.0\.0\/24/);
  node.sh('nft flush chain inet polder_masquerade from-10.9.0.0/24');
  assert.match(String((await node.cni('CHECK', { ...conf, prevResult })).json?.msg), /10\.9\.0\.2 is not masqueraded/);
  node.sh('nft flush map inet polder_masquerade pods4');
  assert.match(String((await node.cni('CHECK', { ...conf, prevResult })).json?.msg), /10\.9\.0\.2 is not masqueraded/);
  await good(node.cni('GC', { ...conf, 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] }));
  assert.match(rules(), /fd00:9::2/);
  await good(node.cni('DEL', conf, { CNI_NETNS: '' }));
  assert.doesNotMatch(rules(), /c1/);
  await good(node.cni('ADD', conf));
  await good(node.cni('GC', { ...conf, 'cni.dev/valid-attachments': [] }));
  assert.doesNotMatch(rules(), /c1/);
  assert.doesNotMatch(node.sh('ip link'), /veth/);
});

test('bridge ipMasq: who has an address keeps its masquerade when one that had it before is deleted or collected', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const ipam = { type: 'static', addresses: [{ address: '10.9.0.7/24', gateway: '10.9.0.1' }] };
  const conf = { ...confOf('', { ipMasq: true }), ipam };
  const masqueraded = () => node.sh('nft list map inet polder_masquerade pods4').includes('10.9.0.7');
  for (const remove of [
    () => node.cni('DEL', conf, { CNI_CONTAINERID: 'before', CNI_NETNS: '' }),
    () => node.cni('GC', { ...conf, 'cni.dev/valid-attachments': [{ containerID: 'now', ifname: 'eth0' }] }),
  ]) {
    const before = scratchNetns();
    await good(node.cni('ADD', conf, { CNI_CONTAINERID: 'before', CNI_NETNS: pathOf(before) }));
    before.close();
    using pod = scratchNetns();
    const now = { CNI_CONTAINERID: 'now', CNI_NETNS: pathOf(pod) };
    const prevResult = await good(node.cni('ADD', conf, now));
    await good(node.cni('CHECK', { ...conf, prevResult }, now));
    await good(remove());
    assert.equal(masqueraded(), true);
    await good(node.cni('CHECK', { ...conf, prevResult }, now));
    await good(node.cni('DEL', conf, now));
    assert.equal(masqueraded(), false);
  }
});

test('bridge macspoofchk: frames with another hardware address are dropped', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = confOf(join(b.dir, 'ipam'), { macspoofchk: true });
  const prevResult = await good(node.cni('ADD', conf));
  const pings = () => node.sh('ping -c1 -W1 10.9.0.1 >/dev/null && echo yes || echo no', 'pod').trim();
  assert.equal(pings(), 'yes');
  await good(node.cni('CHECK', { ...conf, prevResult }));
  node.sh('ip link set eth0 address 02:00:00:00:00:01', 'pod');
  assert.equal(pings(), 'no');
  await good(node.cni('DEL', conf));
  assert.doesNotMatch(node.sh('nft list table bridge polder_macspoof'), /c1/);
});

test('bridge: what CHECK sees, refusals, and nothing left of an ADD that failed', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = confOf(join(b.dir, 'ipam'), {});
  const code = async (more: object, command = 'ADD', env = {}) =>
    (await node.cni(command, { ...conf, ...more }, env)).json?.code;
  assert.equal(await code({ hairpinMode: true, promiscMode: true }), 7);
  assert.equal(await code({ vlan: 5000 }), 7);
  assert.equal(await code({ bridge: 'a name that is too long' }), 7);
  assert.equal(await code({ disableContainerInterface: true }), 7);
  assert.equal(await code({ ipam: { type: 'no-such-plugin' } }), 5);
  assert.equal(await code({}, 'ADD', { CNI_NETNS: '/nowhere' }), 8);
  assert.equal(await code({}, 'CHECK'), 7);
  assert.doesNotMatch(node.sh('ip link'), /veth|br7/);
  node.sh('ip link add br7 type veth peer name br8');
  assert.equal(await code({}), 7);
  assert.equal(await code({}, 'STATUS'), 50);
  node.sh('ip link del br7');
  const prevResult = await good(node.cni('ADD', conf));
  assert.equal(await code({}), 111);
  assert.equal(await code({ prevResult }, 'CHECK'), undefined);
  const breaks = [
    [
      'ip addr del 10.9.0.2/24 dev eth0',
      'ip addr add 10.9.0.2/24 dev eth0 && ip route add default via 10.9.0.1',
      'pod',
    ],
    ['ip route del default', 'ip route add default via 10.9.0.1', 'pod'],
    ['ip link set eth0 mtu 1300', 'ip link set eth0 mtu 1500', 'pod'],
    ['ip addr del 10.9.0.1/24 dev br7', 'ip addr add 10.9.0.1/24 dev br7', 'host'],
    [
      'ip link set $(ls /sys/class/net | grep veth) nomaster 2>/dev/null || for l in $(ip -o link | grep -o "veth[0-9a-f]*" | sort -u); do ip link set $l nomaster; done',
      'true',
      'host',
    ],
  ] as const;
  for (const [breaking, mending, where] of breaks) {
    node.sh(breaking, where);
    assert.equal(await code({ prevResult }, 'CHECK'), 112, breaking);
    node.sh(mending, where);
  }
  await good(node.cni('DEL', conf));
});

test('bridge: DEL removes what was made, whatever the configuration and the pod have come to since', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = confOf(join(b.dir, 'ipam'), {});
  for (const wrong of [
    { hairpinMode: true, promiscMode: true },
    { mtu: 50 },
    { vlan: 5000 },
    { bridge: 'a name that is too long' },
    { prevResult: { cniVersion: '1.1.0', ips: [{ address: '10.80.0.2/24', interface: 0 }] } },
  ]) {
    await good(node.cni('ADD', conf));
    await good(node.cni('DEL', { ...conf, ...wrong }));
    assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0/, JSON.stringify(wrong));
    await good(node.cni('ADD', conf, { CNI_ARGS: 'IP=10.9.0.9' }));
    await good(node.cni('GC', { ...conf, ...wrong, 'cni.dev/valid-attachments': [] }));
    assert.doesNotMatch(node.sh('ip link', 'pod'), /eth0/, JSON.stringify(wrong));
  }
  // What the reference plugin made; what somebody in the pod says of it means nothing.
  node.sh(`ip link add veth0a1b2c3d type veth peer name eth0 netns ${pathOf(node.pod)}`);
  node.sh('ip link set eth0 alias uplink', 'pod');
  await good(node.cni('DEL', conf));
  assert.doesNotMatch(node.sh('ip link'), /veth0a1b2c3d/);
  // A device that the pod has on loan.
  node.sh(`ip link add far0 type veth peer name eth0 netns ${pathOf(node.pod)}`);
  node.sh('ip link set eth0 alias near0', 'pod');
  await good(node.cni('DEL', conf));
  assert.match(node.sh('ip link'), /far0/);
  node.sh('ip link del far0');
});

test('bridge promiscMode: CHECK sees that the bridge is so no more', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const conf = confOf(join(b.dir, 'ipam'), { promiscMode: true });
  const prevResult = await good(node.cni('ADD', conf));
  await good(node.cni('CHECK', { ...conf, prevResult }));
  node.sh('ip link set br7 promisc off');
  assert.match(String((await node.cni('CHECK', { ...conf, prevResult })).json?.msg), /br7 is not promiscuous/);
});

test('bridge: routes of a result are set with all that they say, and CHECK compares it', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const routes = [
    { dst: '10.1.0.0/16', mtu: 1300, advmss: 1200, priority: 77 },
    { dst: '10.2.0.0/16', table: 177, scope: 253 },
    // Nothing, in Go's words.
    { dst: '10.3.0.0/16', table: 0, mtu: 0, advmss: 0, priority: 0, scope: 0 },
    // Two ways to one IPv6 network: one route of the kernel's.
    { dst: 'fd01::/64', gw: 'fd00:9::a' },
    { dst: 'fd01::/64', gw: 'fd00:9::b' },
  ];
  const ipam = { type: 'host-local', dataDir: join(b.dir, 'ipam'), ...RANGES, routes };
  const conf = { ...confOf('', {}), ipam };
  const prevResult = await good(node.cni('ADD', conf));
  const shown = () => node.sh('ip route show table all; ip -6 route show fd01::/64', 'pod');
  assert.match(shown(), /^10\.1\.0\.0\/16 via 10\.9\.0\.1 dev eth0 metric 77 mtu 1300 advmss 1200/m);
  assert.match(shown(), /^10\.2\.0\.0\/16 dev eth0 table 177 scope link/m);
  assert.match(shown(), /^10\.3\.0\.0\/16 via 10\.9\.0\.1 dev eth0 ?$/m);
  await good(node.cni('CHECK', { ...conf, prevResult }));
  for (const [change, back] of [
    ['metric 5 mtu 1300 advmss 1200', 'metric 77 mtu 1300 advmss 1200'],
    ['metric 77 mtu 1400 advmss 1200', 'metric 77 mtu 1300 advmss 1200'],
    ['metric 77 mtu 1300', 'metric 77 mtu 1300 advmss 1200'],
  ]) {
    node.sh(`ip route del 10.1.0.0/16 && ip route add 10.1.0.0/16 via 10.9.0.1 dev eth0 ${change}`, 'pod');
    const said = (await node.cni('CHECK', { ...conf, prevResult })).json?.msg;
    assert.match(
      String(said),
      /route 10\.1\.0\.0\/16 via 10\.9\.0\.1 dev eth0 metric 77 mtu 1300 advmss 1200 is missing/,
      change,
    );
    node.sh(`ip route del 10.1.0.0/16 && ip route add 10.1.0.0/16 via 10.9.0.1 dev eth0 ${back}`, 'pod');
  }
  node.sh('ip -6 route del fd01::/64 via fd00:9::b', 'pod');
  assert.match(String((await node.cni('CHECK', { ...conf, prevResult })).json?.msg), /route fd01::\/64 via fd00:9::b/);
  await good(node.cni('DEL', conf));
});

test('bridge forceAddress: another address of the bridge gives way, or is an error', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  node.sh('ip link add br7 type bridge && ip addr add 10.9.0.200/24 dev br7');
  const conf = confOf(join(b.dir, 'ipam'), {});
  const refused = await node.cni('ADD', conf);
  assert.match(String(refused.json?.msg), /br7 has the address 10\.9\.0\.200\/24 already, not 10\.9\.0\.1\/24/);
  assert.doesNotMatch(node.sh('ip -4 addr show br7'), /10\.9\.0\.1\//);
  await good(node.cni('ADD', { ...conf, forceAddress: true }));
  assert.match(node.sh('ip -4 addr show br7'), /10\.9\.0\.1\/24/);
  assert.doesNotMatch(node.sh('ip -4 addr show br7'), /10\.9\.0\.200/);
  await good(node.cni('DEL', conf));
});

test('bridge: what the agent has seen to be a bridge is looked at again, if it is another by that name', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED);
  using pod = scratchNetns();
  const ip = (command: string) => assert.equal(spawnSync('sh', ['-c', command]).status, 0, command);
  const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
  const conf = { ...confOf(join(b.dir, 'ipam'), {}), bridge: 'br8' };
  const life = async () => {
    const answer = await b.cni('ADD', env, conf);
    if (answer.exit === 0) await good(b.cni('DEL', env, conf));
    return answer;
  };
  const first = await good(life());
  ip('ip link set br8 down');
  await good(life());
  assert.match(spawnSync('ip', ['link', 'show', 'br8'], { encoding: 'utf8' }).stdout, /[<,]UP[,>]/, 'it is up again');
  ip('ip link del br8 && ip link add br8 type veth peer name br9');
  assert.match(String((await life()).json?.msg), /bridge names br8, which is there and is no bridge/);
  ip('ip link del br8');
  assert.deepEqual(Object.keys(await good(life())), Object.keys(first), 'it is made anew');
});

test('bridge: an address that another pod had a moment ago is found at once, by the node and by a pod beside it', {
  skip,
}, async (t) => {
  const b = await bed(t, ROUTED, { coolDownMs: 0 });
  using node = ourNode(b);
  using beside = scratchNetns();
  const conf = confOf(join(b.dir, 'ipam'), {});
  await good(node.cni('ADD', conf, { CNI_CONTAINERID: 'c2', CNI_NETNS: pathOf(beside), CNI_ARGS: 'IP=10.9.0.9' }));
  const pinged = () => inNetns(beside, () => spawnSync('ping', ['-c1', '-W1', '10.9.0.7']).status);
  // The kernel opens a port on its own time: one that comes up quickly and one that does not are both among these.
  for (let i = 0; i < 20; i++) {
    using pod = scratchNetns();
    const place = { CNI_CONTAINERID: `p${i}`, CNI_NETNS: pathOf(pod), CNI_ARGS: 'IP=10.9.0.7' };
    await good(node.cni('ADD', conf, place));
    assert.equal(pinged(), 0, `pod ${i}, from the pod beside it`);
    node.sh('ping -c1 -W1 10.9.0.7');
    await good(node.cni('DEL', conf, place));
  }
});

test('bridge: VLANs are refused with one sentence where the kernel has none', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const { exit, json } = await node.cni('ADD', { ...confOf(join(b.dir, 'ipam'), {}), vlan: 100 });
  if (exit === 0) return t.skip('this kernel filters VLANs');
  assert.equal(json?.code, 100);
  assert.match(String(json?.msg), /^The kernel has no VLAN filtering of bridges/);
  assert.doesNotMatch(node.sh('ip link'), /veth|br7/);
});

test('bridge enabledad: ADD waits until no other has the address, and fails if one has', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  using second = scratchNetns();
  const addresses = [{ address: 'fd00:9::7/64' }];
  const conf = { ...confOf('', { isDefaultGateway: false, enabledad: true }), ipam: { type: 'static', addresses } };
  const prevResult = await good(node.cni('ADD', conf));
  assert.match(node.sh('sysctl -n net.ipv6.conf.eth0.accept_dad', 'pod'), /^1/);
  assert.doesNotMatch(node.sh('ip -6 addr show dev eth0 scope global', 'pod'), /tentative|dadfailed|nodad/);
  await good(node.cni('CHECK', { ...conf, prevResult }));
  const links = node.sh('ip -br link');
  const refused = await node.cni('ADD', conf, { CNI_CONTAINERID: 'c2', CNI_NETNS: pathOf(second) });
  assert.deepEqual([refused.exit, refused.json?.code], [1, 110], refused.stdout);
  assert.match(String(refused.json?.msg), /fd00:9::7: .* has it/);
  assert.equal(node.sh('ip -br link'), links);
  await good(node.cni('DEL', conf));
});

test('bridge disableContainerInterface: the interface is there, and down', { skip }, async (t) => {
  const b = await bed(t, ROUTED);
  using node = ourNode(b);
  const { ipam: _, ...rest } = confOf('', { disableContainerInterface: true, portIsolation: true });
  const prevResult = await good(node.cni('ADD', rest));
  assert.match(node.sh('ip link show eth0', 'pod'), /state DOWN/);
  assert.match(node.sh('bridge -d link'), /isolated on/);
  await good(node.cni('CHECK', { ...rest, prevResult }));
  await good(node.cni('DEL', rest));
});
