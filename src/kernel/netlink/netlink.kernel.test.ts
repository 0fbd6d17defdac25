import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBriefNetlink, openNetlink } from '#kernel/netlink/netlink.ts';
import { address, route } from '#kernel/netlink/testing/scripts.ts';
import { readSysctl } from '#kernel/sysctl.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

const skip = noKernel;
const veth = (name: string, group = 0): NetlinkOp => ({
  op: 'link.add',
  link: { name, info: { kind: 'veth' }, up: true, group, peer: { name: `p${name}` } },
});

test('link finds by name, and undefined for names that are none', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  assert.equal(netlink.link('lo')?.loopback, true);
  assert.equal(netlink.link('eth0'), undefined);
  assert.equal(netlink.link('a-name-that-is-far-too-long-for-an-interface'), undefined);
  assert.equal(netlink.link(''), undefined);
});

test('single facts of an interface are what link says, and undefined for names that are none', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  assert.deepEqual(netlink.run([veth('a'), { op: 'link.set', name: 'pa', change: { mtu: 1400 } }]), []);
  for (const name of ['a', 'pa', 'lo']) {
    const { index, up, mtu, mac } = netlink.link(name) ?? assert.fail(name);
    assert.equal(netlink.indexOf(name), index);
    assert.equal(netlink.isUp(name), up);
    assert.deepEqual(netlink.hardwareOf(name), { mtu, ...(name !== 'lo' && mac && { mac }) });
  }
  for (const name of ['nope', 'a-name-that-is-far-too-long-for-an-interface', 'straße-interface']) {
    assert.deepEqual(
      [netlink.indexOf(name), netlink.isUp(name), netlink.isRunning(name), netlink.hardwareOf(name)],
      [undefined, undefined, undefined, undefined],
    );
  }
});

test('the descriptor of the namespace may be closed once the handle is open', { skip }, async () => {
  const ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  ns.close();
  assert.deepEqual(await netlink.runAsync([veth('a')]), []);
  assert.deepEqual(
    netlink
      .links()
      .map(({ name }) => name)
      .sort(),
    ['a', 'lo', 'pa'],
  );
});

test('runAsync deletes links while the event loop goes on', { skip }, async () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  netlink.run(Array.from({ length: 20 }, (_, i) => veth(`v${i}`, 5)));
  let meanwhile = 0;
  const gone = netlink.runAsync([{ op: 'link.delGroup', group: 5 }]);
  const again = netlink.runAsync([{ op: 'link.delGroup', group: 5 }]);
  // The handle answers other questions in the meantime.
  setImmediate(() => {
    meanwhile = netlink.rules().length;
  });
  assert.deepEqual(await gone, []);
  assert.ok(meanwhile > 0);
  assert.deepEqual(
    (await again).map(({ code }) => code),
    ['ENODEV'],
  );
  assert.equal(netlink.links().length, 1);
});

test('a thousand slow requests may be under way at once', { skip }, async () => {
  using ns = scratchNetns();
  const handles = Array.from({ length: 1000 }, () => openBriefNetlink(ns.fd));
  const answers = await Promise.all(handles.map((handle) => handle.runAsync([{ op: 'link.del', name: 'nope' }])));
  for (const handle of handles) handle.close();
  assert.deepEqual(new Set(answers.map((failures) => failures.map(({ code }) => code).join())), new Set(['ENODEV']));
});

test('a handle that is closed with work under way lets it finish', { skip }, async () => {
  using ns = scratchNetns();
  const netlink = openNetlink(ns.fd);
  netlink.run([veth('a')]);
  const gone = netlink.runAsync([{ op: 'link.del', name: 'a' }]);
  netlink.close();
  netlink.close();
  await Promise.allSettled([gone]);
  using after = openNetlink(ns.fd);
  assert.ok(after.links().length <= 3);
  await assert.rejects(netlink.runAsync([]), /closed/);
});

test('routes are filtered by the kernel, also by a table that does not exist', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const ops: NetlinkOp[] = [
    veth('a'),
    { op: 'addr.add', address: address('a', '10.0.0.1/24') },
    { op: 'route.add', route: route('10.1.0.0/16', { hops: [{ link: 'a' }] }) },
    { op: 'route.add', route: route('10.2.0.0/16', { hops: [{ link: 'a' }], table: 70_000 }) },
  ];
  assert.deepEqual(netlink.run(ops), []);
  const found = (filter: Parameters<typeof netlink.routes>[0]) => netlink.routes(filter).map(({ to }) => to);
  assert.deepEqual(found({ protocol: 77 }).sort(), ['10.1.0.0/16', '10.2.0.0/16']);
  assert.deepEqual(found({ table: 70_000 }), ['10.2.0.0/16']);
  assert.deepEqual(found({ table: 12_345 }), []);
  assert.ok(found({ family: 6 }).every((to) => to.includes(':')));
});

test('a thousand routes are made and read back', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const routes = Array.from({ length: 1000 }, (_, i) =>
    route(`10.${i >> 8}.${i & 255}.0/24`, { hops: [{ link: 'a' }] }),
  );
  assert.deepEqual(netlink.run([veth('a'), ...routes.map((r): NetlinkOp => ({ op: 'route.add', route: r }))]), []);
  const have = netlink.routes({ family: 4, protocol: 77 });
  assert.deepEqual(
    have.toSorted((a, b) => (a.to < b.to ? -1 : 1)),
    routes.toSorted((a, b) => (a.to < b.to ? -1 : 1)),
  );
});

test('a VLAN of a port is read back, or named as a missing feature', { skip }, (t) => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const ops: NetlinkOp[] = [
    { op: 'link.add', link: { name: 'br', info: { kind: 'bridge', vlanFiltering: true, vlanDefaultPvid: 0 } } },
    veth('a'),
    { op: 'link.set', name: 'a', change: { master: 'br' } },
    { op: 'bridgeVlan.add', vlan: { link: 'a', vid: 10, pvid: true, untagged: true } },
    { op: 'bridgeVlan.add', vlan: { link: 'a', vid: 20, end: 29 } },
    { op: 'bridgeVlan.del', vlan: { link: 'a', vid: 25, end: 26 } },
    { op: 'bridgeVlan.add', vlan: { link: 'br', vid: 10, self: true } },
  ];
  const [failure] = netlink.run(ops);
  if (failure) {
    assert.match(refusalError(failure).message, /VLAN filtering of bridges/);
    assert.deepEqual(netlink.bridgeVlans(), []);
    return t.skip('this kernel does not filter VLANs on bridges');
  }
  assert.deepEqual(netlink.link('br')?.info, { kind: 'bridge', stp: false, vlanFiltering: true, vlanDefaultPvid: 0 });
  assert.deepEqual(netlink.bridgeVlans('a'), [
    { link: 'a', vid: 10, pvid: true, untagged: true },
    { link: 'a', vid: 20, end: 24 },
    { link: 'a', vid: 27, end: 29 },
  ]);
  assert.deepEqual(netlink.bridgeVlans('br'), [{ link: 'br', vid: 10, self: true }]);
});

test('a kind that the kernel lacks is named as a missing feature', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const [failure] = netlink.run([{ op: 'link.add', link: { name: 'x', info: { kind: 'other', name: 'nosuchkind' } } }]);
  assert.ok(failure);
  const error = refusalError(failure);
  assert.equal(error.code, 'kernel-feature-missing');
  assert.match(error.message, /interfaces of kind nosuchkind/);
});

test("a refusal carries the kernel's words and the line that does the same", { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const [failure] = netlink.run([
    { op: 'link.set', name: 'lo', change: { mtu: 1 << 30 } },
    { op: 'link.del', name: 'lo' },
  ]);
  assert.ok(failure);
  assert.match(refusalError(failure).message, /`ip link (set dev|del dev) lo/);
});

test('each refusal of a batch is told, though only its last operation asks for an answer', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const add = (prefix: string): NetlinkOp => ({ op: 'addr.add', address: address('a', prefix) });
  assert.deepEqual(netlink.run([veth('a'), add('10.1.0.1/24')]), []);
  const told = (ops: NetlinkOp[]) => netlink.run(ops).map(({ op, code }) => [ops.indexOf(op), code]);
  assert.deepEqual(told([add('10.1.0.1/24'), add('10.2.0.1/24'), add('10.1.0.1/24'), add('10.3.0.1/24')]), [
    [0, 'EEXIST'],
    [2, 'EEXIST'],
  ]);
  assert.deepEqual(told([add('10.4.0.1/24'), add('10.4.0.1/24')]), [[1, 'EEXIST']]);
  const found = netlink.addresses().flatMap((one) => (one.link === 'a' && one.scope === 'global' ? [one.address] : []));
  assert.deepEqual(found, ['10.1.0.1/24', '10.2.0.1/24', '10.3.0.1/24', '10.4.0.1/24']);
});

test('link.set says whether an interface announces its addresses, and of which it has not found one', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openBriefNetlink(ns.fd);
  assert.deepEqual(netlink.run([veth('a'), { op: 'link.set', name: 'a', change: { arpNotify: true } }]), []);
  assert.equal(readSysctl('net/ipv4/conf/a/arp_notify', ns), '1');
  assert.equal(readSysctl('net/ipv4/conf/pa/arp_notify', ns), '0');
  assert.deepEqual(netlink.run([{ op: 'link.set', name: 'a', change: { arpNotify: false } }]), []);
  assert.equal(readSysctl('net/ipv4/conf/a/arp_notify', ns), '0');
  const [failure] = netlink.run([{ op: 'link.set', name: 'nope', change: { up: true } }]);
  assert.deepEqual([failure?.code, failure?.text], ['ENODEV', 'no interface "nope"']);
});

test('a brief handle takes many requests and reads tables whole, too', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openBriefNetlink(ns.fd);
  const addresses = Array.from({ length: 600 }, (_, i) => address('a', `10.${i >> 8}.${i & 255}.1/32`));
  const ops = addresses.map((one): NetlinkOp => ({ op: 'addr.add', address: one }));
  assert.deepEqual(netlink.run([veth('a'), ...ops]), []);
  const index = netlink.link('a')?.index ?? assert.fail();
  assert.equal(netlink.addresses({ name: 'a', index }).filter(({ scope }) => scope === 'global').length, 600);
  using another = openBriefNetlink(ns.fd);
  assert.equal(another.addresses({ name: 'a', index }).filter(({ scope }) => scope === 'global').length, 600);
  assert.deepEqual(another.neighbours('a'), []);
});

test('find says the same as link, of every kind', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const ops: NetlinkOp[] = [
    { op: 'link.add', link: { name: 'a', info: { kind: 'veth' }, alias: 'an alias', peer: { name: 'b' } } },
    { op: 'link.add', link: { name: 'br', info: { kind: 'bridge' }, mtu: 1400, up: true } },
    { op: 'link.set', name: 'b', change: { master: 'br' } },
  ];
  assert.deepEqual(netlink.run(ops), []);
  for (const { name, index, mtu, up, loopback, mac, alias, info } of netlink.links()) {
    const kind = info.kind === 'other' ? info.name : info.kind;
    const expected = { name, index, mtu, up, loopback, kind, ...(mac && { mac }), ...(alias && { alias }) };
    assert.deepEqual(netlink.find(name), expected);
  }
  assert.equal(netlink.find('nope'), undefined);
  assert.equal(netlink.find('a-name-that-is-far-too-long-for-an-interface'), undefined);
});
