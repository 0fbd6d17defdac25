/** IPIP by eBPF between two namespaces and, where one has the tool, as tcpdump sees it. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { CLSACT } from '#kernel/bpf/clsact.ts';
import type { Hook } from '#kernel/bpf/hook.ts';
import { type IpipWish, placeIpip } from '#kernel/bpf/ipip.ts';
import { hasTcx, TCX } from '#kernel/bpf/tcx.ts';
import { attachedPrograms } from '#kernel/ffi/bpf.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { writeSysctl } from '#kernel/sysctl.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parseAddr } from '#net/addr.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { macOfRemote } from '#wire/bpf/ipip.ts';
import { type NetlinkOp, NUD_PERMANENT, PROTO_POLDER, TABLE_MAIN } from '#wire/netlink/values.ts';

const noTcx = noKernel || (hasTcx() ? false : 'this kernel attaches no programs to interfaces (tcx)');

/** Each way to hold a program to an interface, and whether this kernel has it. */
const WAYS = [
  { by: 'tcx', hooks: [TCX, CLSACT], skip: noTcx },
  { by: 'clsact', hooks: [CLSACT], skip: noKernel },
] as const satisfies readonly { by: string; hooks: readonly [Hook, ...Hook[]]; skip: string | false }[];

/** One of two nodes: eth0 with 192.168.1.10N, tunl0 with 10.244.N.0, and the route to the other's network. */
function furnish(netlink: Netlink, own: number, other: number): void {
  const remote = parseAddr(`192.168.1.10${other}`);
  const route = {
    to: parsePrefix(`10.244.${other}.0/24`),
    type: 'unicast',
    table: TABLE_MAIN,
    protocol: PROTO_POLDER,
    scope: 'global',
    hops: [{ via: remote, link: 'tunl0', onlink: true }],
  } as const;
  const ops: NetlinkOp[] = [
    { op: 'link.set', name: 'eth0', change: { up: true } },
    { op: 'addr.add', address: { link: 'eth0', address: parseIfAddr(`192.168.1.10${own}/24`), scope: 'global' } },
    { op: 'link.add', link: { name: 'tunl0', info: { kind: 'ifb' }, mtu: 1480, up: true } },
    { op: 'addr.add', address: { link: 'tunl0', address: parseIfAddr(`10.244.${own}.0/32`), scope: 'global' } },
    {
      op: 'neigh.replace',
      neighbour: { link: 'tunl0', addr: remote, mac: macOfRemote(remote), state: NUD_PERMANENT },
    },
    { op: 'route.add', route },
  ];
  assert.deepEqual(netlink.run(ops), []);
}

function twoNodes() {
  const stack = new DisposableStack();
  const [a, b] = [stack.use(scratchNetns()), stack.use(scratchNetns())];
  const [left, right] = [stack.use(openNetlink(a.fd)), stack.use(openNetlink(b.fd))];
  const peer = { name: 'eth0', netns: b.fd };
  assert.deepEqual(left.run([{ op: 'link.add', link: { name: 'eth0', info: { kind: 'veth' }, peer } }]), []);
  for (const each of [a, b]) writeSysctl('net.ipv4.ip_forward', '1', each);
  furnish(left, 1, 2);
  furnish(right, 2, 1);
  return {
    a: { netns: a, netlink: left },
    b: { netns: b, netlink: right },
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** Both and many more, so that the program has to search. */
const NODES = Array.from({ length: 150 }, (_, i) => parseAddr(`192.168.1.${101 + i}`));

const wish = (own: number) => ({
  device: 'tunl0',
  underlay: 'eth0',
  local: parseAddr(`192.168.1.10${own}`),
  remotes: NODES,
});

function ping(ns: Netns, ...args: string[]): number | null {
  const run = inNetns(ns, () => spawnSync('ping', ['-c', '2', '-i', '0.1', '-W', '1', ...args], { encoding: 'utf8' }));
  return run.status;
}

interface Node {
  readonly netns: Netns;
  readonly netlink: Netlink;
}

function place({ netns, netlink }: Node, wanted: IpipWish | undefined, hooks: readonly [Hook, ...Hook[]]): void {
  inNetns(netns, () => placeIpip(netlink, wanted, hooks));
}

/** Names of the programs that packets meet which come in by eth0, wherever they are held. */
function programsAtEth0({ netns, netlink }: Node): string[] {
  const filters = netlink
    .filters('eth0', 'ingress')
    .map(({ match }) => (match.kind === 'bpf' ? match.name : match.kind));
  const index = netlink.link('eth0')?.index ?? assert.fail('no eth0');
  return [
    ...(hasTcx() ? inNetns(netns, () => attachedPrograms(index, 'ingress')).map(({ name }) => name) : []),
    ...filters,
  ];
}

for (const { by, hooks, skip } of WAYS) {
  test(`placeIpip by ${by} carries packets of every size that fits, and twice is once`, { skip }, () => {
    using nodes = twoNodes();
    const { a, b } = nodes;
    assert.notEqual(ping(a.netns, '10.244.2.0'), 0, 'nothing goes before the programs are there');
    place(a, wish(1), hooks);
    place(b, wish(2), hooks);
    assert.equal(ping(a.netns, '10.244.2.0'), 0);
    assert.equal(ping(a.netns, '-M', 'do', '-s', '1452', '10.244.2.0'), 0, '1480 bytes');
    assert.notEqual(ping(a.netns, '-M', 'do', '-s', '1453', '10.244.2.0'), 0, '1481 bytes');
    assert.equal(ping(a.netns, '-M', 'dont', '-s', '4000', '10.244.2.0'), 0, 'in pieces');
    const before = programsAtEth0(a);
    place(a, wish(1), hooks);
    assert.deepEqual(programsAtEth0(a), before);
    assert.equal(before.length, 1);
  });

  test(`placeIpip by ${by} carries TCP, whose segments are yet to be cut`, { skip }, () => {
    using nodes = twoNodes();
    place(nodes.a, wish(1), hooks);
    place(nodes.b, wish(2), hooks);
    const script =
      'import socket,threading,sys\n' +
      's=socket.create_server(("10.244.2.0",0));print(s.getsockname()[1],flush=True)\n' +
      'c,_=s.accept();n=0\n' +
      'while True:\n d=c.recv(65536)\n if not d: break\n n+=len(d)\nprint(n,flush=True)\n';
    const sent = 8_000_000;
    const both = `
      exec 3< <(nsenter --net=/proc/self/fd/4 python3 -c '${script}')
      read port <&3
      head -c ${sent} /dev/zero >/dev/tcp/10.244.2.0/$port
      read got <&3; echo $got`;
    const run = inNetns(nodes.a.netns, () =>
      spawnSync('bash', ['-c', both], {
        encoding: 'utf8',
        timeout: 20_000,
        stdio: ['ignore', 'pipe', 'pipe', 'ignore', nodes.b.netns.fd],
      }),
    );
    assert.equal(run.stdout.trim(), String(sent), run.stderr);
  });

  test(`placeIpip by ${by} takes nothing out of packets of others, and follows when they become nodes`, {
    skip,
  }, () => {
    using nodes = twoNodes();
    const { a, b } = nodes;
    place(a, wish(1), hooks);
    place(b, { ...wish(2), remotes: NODES.slice(5) }, hooks);
    assert.notEqual(ping(a.netns, '10.244.2.0'), 0, 'nobody knows the sender');
    place(b, { ...wish(2), remotes: [] }, hooks);
    assert.notEqual(ping(a.netns, '10.244.2.0'), 0, 'nor anybody else');
    place(b, wish(2), hooks);
    assert.equal(ping(a.netns, '10.244.2.0'), 0);
  });

  test(`placeIpip by ${by} follows what changes, and takes everything back`, { skip }, () => {
    using nodes = twoNodes();
    const { a } = nodes;
    place(a, wish(1), hooks);
    const [first] = programsAtEth0(a);
    place(a, { ...wish(1), local: parseAddr('192.168.1.111') }, hooks);
    const [second, ...more] = programsAtEth0(a);
    assert.deepEqual(more, []);
    assert.notEqual(second, first);
    place(a, undefined, hooks);
    assert.deepEqual(programsAtEth0(a), []);
    assert.deepEqual(
      a.netlink.qdiscs().filter(({ info }) => info.kind === 'clsact'),
      [],
    );
  });

  test(`placeIpip by ${by} leaves what others filter`, { skip }, () => {
    using nodes = twoNodes();
    const { a } = nodes;
    const theirs = { link: 'eth0', parent: 'ingress', priority: 9, protocol: 'arp' } as const;
    const action = { kind: 'redirect', to: 'tunl0' } as const;
    const failures = a.netlink.run([
      { op: 'qdisc.add', qdisc: { link: 'eth0', info: { kind: 'clsact' } } },
      { op: 'filter.add', filter: { ...theirs, match: { kind: 'u32', keys: [] }, action } },
    ]);
    assert.deepEqual(failures, []);
    place(a, wish(1), hooks);
    place(a, undefined, hooks);
    assert.deepEqual(programsAtEth0(a), ['u32']);
  });
}

test('placeIpip takes over from an agent that used clsact: nothing is lost, and only the new one is left', {
  skip: noTcx,
}, async () => {
  using nodes = twoNodes();
  const both = [
    [nodes.a, 1],
    [nodes.b, 2],
  ] as const;
  for (const [node, own] of both) place(node, wish(own), [CLSACT]);
  assert.equal(ping(nodes.a.netns, '10.244.2.0'), 0);
  for (const [node, own] of both) place(node, wish(own), [TCX, CLSACT]);
  assert.equal(ping(nodes.a.netns, '10.244.2.0'), 0);
  assert.match(programsAtEth0(nodes.b).join(), /^pd_ipip[0-9a-f]{8}$/);
});

test('programs come to an interface, change there and go again without the loss of a packet', {
  skip: noTcx,
}, async () => {
  using nodes = twoNodes();
  const { a, b } = nodes;
  const sender = inNetns(a.netns, () =>
    spawn('ping', ['-c', '400', '-i', '0.002', '-W', '2', '-q', '192.168.1.102'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const said = text(sender.stdout);
  const ended = once(sender, 'close');
  for (let round = 0; sender.exitCode === null; round++) {
    const local = parseAddr(`192.168.1.1${10 + (round % 50)}`);
    for (const node of [a, b]) place(node, round % 3 === 2 ? undefined : { ...wish(1), local }, [TCX]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  assert.match(await said, /400 packets transmitted, 400 received/);
});

test('signals that come in meanwhile do not keep programs from being loaded', { skip: noKernel }, async () => {
  using nodes = twoNodes();
  let heard = 0;
  const count = () => void heard++;
  process.on('SIGWINCH', count);
  // Some for each load, and not so many that nothing else goes on.
  const storm = spawn('sh', ['-c', `while kill -WINCH ${process.pid}; do sleep 0.001; done`], { stdio: 'ignore' });
  try {
    const until = Date.now() + 30_000;
    for (let round = 0; (round < 40 || heard < 100) && Date.now() < until; round++) {
      place(nodes.a, { ...wish(1), local: parseAddr(`192.168.1.1${10 + (round % 2)}`) }, [CLSACT]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(heard >= 100, `${heard} signals came`);
  } finally {
    storm.kill('SIGKILL');
    await once(storm, 'exit');
    process.off('SIGWINCH', count);
  }
});
