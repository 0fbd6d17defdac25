/** Interfaces of kinds that not every kernel has: made, read back, and made again by the line that is printed. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { printOp } from '#wire/netlink/print.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { LinkInfo, NetlinkOp, NewLink } from '#wire/netlink/values.ts';

const skip = noKernel;
const PARENT: NetlinkOp = {
  op: 'link.add',
  link: { name: 'below', info: { kind: 'veth' }, up: true, mtu: 1400, peer: { name: 'far' } },
};

const STACKED: Readonly<Record<string, LinkInfo>> = {
  'vlan 5': { kind: 'vlan', id: 5, protocol: '802.1q' },
  'vlan 4094 of a provider': { kind: 'vlan', id: 4094, protocol: '802.1ad' },
  'ipvlan l2': { kind: 'ipvlan', mode: 'l2', flag: 'bridge' },
  'ipvlan l3, private': { kind: 'ipvlan', mode: 'l3', flag: 'private' },
  'ipvlan l3s, vepa': { kind: 'ipvlan', mode: 'l3s', flag: 'vepa' },
  'macvlan bridge': { kind: 'macvlan', mode: 'bridge', bcQueueLen: 500 },
  'macvlan passthru': { kind: 'macvlan', mode: 'passthru', bcQueueLen: 1000 },
};

const ALONE: Readonly<Record<string, LinkInfo>> = {
  dummy: { kind: 'dummy' },
  ifb: { kind: 'ifb' },
  vrf: { kind: 'vrf', table: 1001 },
  'bridge that filters VLANs': { kind: 'bridge', stp: false, vlanFiltering: true, vlanDefaultPvid: 7 },
};

const LINKS: readonly (readonly [string, NewLink])[] = [
  ...Object.entries(STACKED).map(([title, info]) => [title, { name: 'x', info, parent: 'below' }] as const),
  ...Object.entries(ALONE).map(([title, info]) => [title, { name: 'x', info, txQueueLen: 99 }] as const),
];

for (const [title, link] of LINKS) {
  test(`${title} is read back as it was made`, { skip }, (t) => {
    using ns = scratchNetns();
    using netlink = openNetlink(ns.fd);
    const [failure] = netlink.run([PARENT, { op: 'link.add', link }]);
    if (failure) return t.skip(refusalError(failure).message);
    const made = netlink.link('x');
    assert.deepEqual(made?.info, link.info);
    assert.equal(made.parent, link.parent && netlink.link(link.parent)?.index);
    assert.equal(made.txQueueLen, link.txQueueLen ?? made.txQueueLen);
    assert.deepEqual(netlink.run([{ op: 'link.del', name: 'x' }]), []);
    const line = inNetns(ns, () => spawnSync('sh', ['-c', printOp({ op: 'link.add', link })], { encoding: 'utf8' }));
    assert.equal(line.stderr, '');
    assert.deepEqual(netlink.link('x')?.info, link.info);
  });
}

for (const [title, info] of Object.entries(STACKED)) {
  test(`${title} is made in another namespace at once`, { skip }, (t) => {
    using here = scratchNetns();
    using there = scratchNetns();
    using netlink = openNetlink(here.fd);
    using other = openNetlink(there.fd);
    const link = { name: 'eth0', info, parent: 'below', netns: there.fd };
    const [failure] = netlink.run([PARENT, { op: 'link.add', link }]);
    if (failure) return t.skip(refusalError(failure).message);
    assert.deepEqual(other.link('eth0')?.info, info);
    assert.equal(other.link('eth0')?.parent, netlink.link('below')?.index);
    assert.notEqual(other.link('eth0')?.peerNetnsId, undefined);
    assert.equal(netlink.link('eth0'), undefined);
  });
}

test('an interface joins a vrf, and its routes are in the table', { skip }, (t) => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const vrf: NewLink = { name: 'red', info: { kind: 'vrf', table: 77 }, up: true };
  const [failure] = netlink.run([PARENT, { op: 'link.add', link: vrf }]);
  if (failure) return t.skip(refusalError(failure).message);
  assert.deepEqual(netlink.run([{ op: 'link.set', name: 'below', change: { master: 'red' } }]), []);
  assert.equal(netlink.link('below')?.master, netlink.link('red')?.index);
  assert.equal(netlink.link('below')?.port, undefined);
});
