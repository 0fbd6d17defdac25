import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { Agents, must, SHIM, type TestNode, until } from '#serve/agent/testing/agents.ts';
import { PROFILE_NAMES, PROFILES } from '#spec/cluster.ts';
import { WAYS_ANNOTATION } from '#spec/ways.ts';
import { PROTO_POLDER, PROTO_STATIC, type Route, TABLE_MAIN } from '#wire/netlink/values.ts';

const options = { skip: noKernel };
const noShim = existsSync(SHIM) ? false : 'native/build.sh has not been run';
const noTools = noKernel || (existsSync('/usr/bin/ping') || existsSync('/bin/ping') ? noShim : 'there is no ping');

/** @returns what ping says of a run of `count` packets, 5 ms apart. */
async function ping(netns: Netns, to: string, count: number, ...flags: string[]): Promise<string> {
  const quiet = flags.length > 0 ? flags : ['-q'];
  const child = inNetns(netns, () => spawn('ping', [...quiet, '-i', '0.005', '-c', String(count), '-W', '1', to]));
  return Buffer.concat(await child.stdout.toArray()).toString();
}

function peers(node: TestNode): string[] {
  return node.netlink
    .routes({ protocol: PROTO_POLDER })
    .map(({ to }) => to)
    .sort();
}

/** Those that need no more kinds than the tiny API has; the others are tried in the lab. */
const NODE_CIDR_PROFILES = PROFILE_NAMES.filter((name) => PROFILES[name].ipam === 'node-cidr');

for (const profile of NODE_CIDR_PROFILES) {
  test(`polder agent under ${profile}: kill -9 and restart lose no packet and change nothing`, {
    skip: noTools,
  }, async () => {
    await using agents = await Agents.make(profile);
    const [first, second] = agents.nodes as [TestNode, TestNode];
    await Promise.all([agents.start(first), agents.start(second)]);
    const near = agents.attach(first, 'near');
    const far = agents.attach(second, 'far');
    assert.match(await ping(near.netns, far.addr, 3), / 0% packet loss/);

    const run = ping(near.netns, far.addr, 400);
    for (const node of [first, second]) {
      await agents.kill(node);
      await agents.start(node);
    }
    assert.match(await run, /400 packets transmitted, 400 received, 0% packet loss/);
    for (const node of [first, second]) {
      assert.equal(
        agents.log(node).filter(({ msg }) => msg === 'mended the kernel').length,
        1,
        'only the first start did something',
      );
      assert.equal(await agents.ask(node, '/plan'), '');
    }
  });
}

for (const profile of NODE_CIDR_PROFILES) {
  test(`polder agent under ${profile} with the fast path: the same answers, past the node’s stack`, {
    skip: noTools,
  }, async (t) => {
    await using agents = await Agents.make(profile, { fastPath: 'true' });
    const [first, second] = agents.nodes as [TestNode, TestNode];
    await Promise.all([agents.start(first), agents.start(second)]);
    const near = agents.attach(first, 'near');
    const beside = agents.attach(first, 'beside');
    const far = agents.attach(second, 'far');
    const trouble = /"trouble": "(.*)"/.exec((await agents.ask(first, '/status')) ?? '')?.[1];
    if (trouble) return t.skip(trouble);
    const sound = async (netns: Netns, to: string): Promise<boolean> =>
      / 0% packet loss/.test(await ping(netns, to, 2));
    for (const to of [beside.addr, far.addr]) await until(`${to} answers`, () => sound(near.netns, to));

    assert.match(await ping(near.netns, far.addr, 1, '-v', '-n'), /ttl=62/, 'each node takes one of the TTL');
    assert.match(await ping(near.netns, far.addr, 1, '-t', '1'), /1 errors|Time to live exceeded/, 'traceroute works');
    for (const { netns } of [first, second]) dropForwarded(netns);
    // The short cut follows the pods within milliseconds; from then on the stack forwards nothing.
    await until('the short cut is there', () => sound(near.netns, far.addr));
    await until('it is there for the other pod', () => sound(far.netns, beside.addr));

    const run = ping(near.netns, beside.addr, 200);
    const { stdout } = agents.detach(second, 'far');
    assert.equal(stdout, '');
    await until('the pod is gone', async () => !(await sound(near.netns, far.addr)));
    assert.match(await run, /200 received/);
    await agents.kill(first);
    assert.ok(!(await sound(near.netns, beside.addr)) || profile !== 'vxlan', 'the fast path goes with its agent');
  });
}

/** Whatever the stack of this namespace forwards is dropped. */
function dropForwarded(netns: Netns): void {
  using nft = openNft(netns.fd);
  const base = { type: 'filter', hook: 'forward', prio: 0, policy: 'drop' } as const;
  const failure = nft.apply({ family: 'inet', name: 'somebody' }, [
    { op: 'table.add' },
    { op: 'chain.add', chain: { name: 'forward', base } },
  ]);
  assert.equal(failure, undefined);
}

test('polder agent mends at once what somebody deletes, and leaves foreign routes', options, async () => {
  await using agents = await Agents.make('vxlan');
  const [node] = agents.nodes as [TestNode];
  const foreign: Route = {
    to: parsePrefix('172.16.0.0/12'),
    type: 'unicast',
    table: TABLE_MAIN,
    protocol: PROTO_STATIC,
    scope: 'global',
    hops: [{ via: parseAddr('192.168.1.102'), link: 'eth0' }],
  };
  must(node.netlink, [{ op: 'route.add', route: foreign }]);
  await agents.start(node);
  const wanted = peers(node);
  assert.deepEqual(wanted, ['10.244.1.0/24', '10.244.2.0/24']);
  for (const route of node.netlink.routes({ protocol: PROTO_POLDER })) {
    must(node.netlink, [{ op: 'route.del', route }]);
    await until('the route is back', () => peers(node).join() === wanted.join());
  }
  must(node.netlink, [{ op: 'link.del', name: 'vxlan.polder' }]);
  await until(
    'the device is back',
    () => node.netlink.link('vxlan.polder')?.up === true && peers(node).join() === wanted.join(),
  );
  assert.equal(node.netlink.routes({ protocol: PROTO_STATIC }).length, 1);
});

test('polder agent follows nodes that come, move and go, and the MTU of the underlay', options, async () => {
  await using agents = await Agents.make('vxlan');
  const [node, other] = agents.nodes as [TestNode, TestNode];
  await agents.start(node);
  agents.api.putNode('node3', '192.168.1.103', '10.244.3.0/24');
  await until('node3 has a route', () => peers(node).includes('10.244.3.0/24'));
  agents.api.putNode('node3', '192.168.1.113', '10.244.3.0/24');
  await until('node3 has moved', () => node.netlink.fdb('vxlan.polder').some(({ dst }) => dst === '192.168.1.113'));
  agents.api.deleteNode('node3');
  await until('node3 is gone', () => !peers(node).includes('10.244.3.0/24'));
  for (const { netlink } of [other, node]) must(netlink, [{ op: 'link.set', name: 'eth0', change: { mtu: 1400 } }]);
  await until('the MTU has followed', () => node.netlink.link('vxlan.polder')?.mtu === 1350);
});

test(
  'polder agent starts from its last snapshot while the API is away, and then deletes nothing',
  options,
  async () => {
    await using agents = await Agents.make('flannel-host-gw');
    const [node] = agents.nodes as [TestNode];
    await agents.start(node);
    await agents.kill(node);
    agents.api.close();
    const own = node.netlink.routes({ protocol: PROTO_POLDER });
    const extra: Route = { ...(own[0] as Route), to: parsePrefix('10.244.9.0/24') };
    must(node.netlink, [
      ...own.map((route) => ({ op: 'route.del', route }) as const),
      { op: 'route.add', route: extra },
    ]);
    await agents.start(node);
    assert.deepEqual(peers(node), ['10.244.2.0/24', '10.244.9.0/24']);
  },
);

test('polder agent tells the cluster that its network stands, ends at SIGTERM, and is small', options, async (t) => {
  await using agents = await Agents.make('vxlan');
  const [node] = agents.nodes as [TestNode];
  await agents.start(node);
  const told = () => agents.api.patches.find(({ path }) => path === '/api/v1/nodes/node1/status');
  await until('the condition is told', () => told() !== undefined);
  assert.match(told()?.body ?? '', /"NetworkUnavailable","status":"False"/);
  await until('its ways are told', () => agents.api.annotationsOf('node1')[WAYS_ANNOTATION] !== undefined);
  assert.equal(agents.api.annotationsOf('node1')[WAYS_ANNOTATION], '{"accepts":["vxlan"],"sends":["vxlan"]}');
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.agent?.pid}/status`, 'utf8'))?.[1]) / 1024;
  t.diagnostic(`resident: ${Math.round(rss)} MiB`);
  assert.match((await agents.ask(node, '/metrics')) ?? '', /polder_agent_ready 1/);
  assert.equal(agents.api.watched.filter((path) => path === '/api/v1/nodes').length, 1, 'one watch for all that ask');
  assert.equal(await agents.kill(node, 'SIGTERM'), 0);
  assert.deepEqual(peers(node), ['10.244.1.0/24', '10.244.2.0/24']);
});
