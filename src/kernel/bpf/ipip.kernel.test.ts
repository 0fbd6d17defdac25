/** IPIP by eBPF between two namespaces and, where one has the tool, as tcpdump sees it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { placeIpip } from '#kernel/bpf/ipip.ts';
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

const options = { skip: noKernel };

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
  return { a, b, left, right, [Symbol.dispose]: () => stack.dispose() };
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

/** IPv4 packets of protocol 4 that came in by eth0, by the kernel's own count of a rule. */
function outerPackets(netlink: Netlink, link: string): Filters {
  return netlink.filters(link, 'ingress').map(({ match }) => (match.kind === 'bpf' ? match.name : match.kind));
}
type Filters = readonly string[];

test('placeIpip carries packets of every size that fits, and twice is once', options, () => {
  using nodes = twoNodes();
  assert.notEqual(ping(nodes.a, '10.244.2.0'), 0, 'nothing goes before the programs are there');
  placeIpip(nodes.left, wish(1));
  placeIpip(nodes.right, wish(2));
  assert.equal(ping(nodes.a, '10.244.2.0'), 0);
  assert.equal(ping(nodes.a, '-M', 'do', '-s', '1452', '10.244.2.0'), 0, '1480 bytes');
  assert.notEqual(ping(nodes.a, '-M', 'do', '-s', '1453', '10.244.2.0'), 0, '1481 bytes');
  assert.equal(ping(nodes.a, '-M', 'dont', '-s', '4000', '10.244.2.0'), 0, 'in pieces');
  const before = outerPackets(nodes.left, 'eth0');
  placeIpip(nodes.left, wish(1));
  assert.deepEqual(outerPackets(nodes.left, 'eth0'), before);
  assert.equal(before.length, 1);
});

test('placeIpip carries TCP, whose segments are yet to be cut', options, () => {
  using nodes = twoNodes();
  placeIpip(nodes.left, wish(1));
  placeIpip(nodes.right, wish(2));
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
  const run = inNetns(nodes.a, () =>
    spawnSync('bash', ['-c', both], {
      encoding: 'utf8',
      timeout: 20_000,
      stdio: ['ignore', 'pipe', 'pipe', 'ignore', nodes.b.fd],
    }),
  );
  assert.equal(run.stdout.trim(), String(sent), run.stderr);
});

test('placeIpip takes nothing out of packets of others, and follows when they become nodes', options, () => {
  using nodes = twoNodes();
  placeIpip(nodes.left, wish(1));
  placeIpip(nodes.right, { ...wish(2), remotes: NODES.slice(5) });
  assert.notEqual(ping(nodes.a, '10.244.2.0'), 0, 'nobody knows the sender');
  placeIpip(nodes.right, { ...wish(2), remotes: [] });
  assert.notEqual(ping(nodes.a, '10.244.2.0'), 0, 'nor anybody else');
  placeIpip(nodes.right, wish(2));
  assert.equal(ping(nodes.a, '10.244.2.0'), 0);
});

test('placeIpip follows what changes, and takes everything back', options, () => {
  using nodes = twoNodes();
  placeIpip(nodes.left, wish(1));
  const [first] = outerPackets(nodes.left, 'eth0');
  placeIpip(nodes.left, { ...wish(1), local: parseAddr('192.168.1.111') });
  const [second, ...more] = outerPackets(nodes.left, 'eth0');
  assert.deepEqual(more, []);
  assert.notEqual(second, first);
  placeIpip(nodes.left, undefined);
  assert.deepEqual(
    nodes.left.qdiscs().filter(({ info }) => info.kind === 'clsact'),
    [],
  );
});

test('placeIpip leaves what others filter', options, () => {
  using nodes = twoNodes();
  const theirs = { link: 'eth0', parent: 'ingress', priority: 9, protocol: 'arp' } as const;
  const action = { kind: 'redirect', to: 'tunl0' } as const;
  const failures = nodes.left.run([
    { op: 'qdisc.add', qdisc: { link: 'eth0', info: { kind: 'clsact' } } },
    { op: 'filter.add', filter: { ...theirs, match: { kind: 'u32', keys: [] }, action } },
  ]);
  assert.deepEqual(failures, []);
  placeIpip(nodes.left, wish(1));
  placeIpip(nodes.left, undefined);
  assert.deepEqual(outerPackets(nodes.left, 'eth0'), ['u32']);
});
