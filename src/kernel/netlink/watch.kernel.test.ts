import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetlinkEvent } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { watchNetlink } from '#kernel/netlink/watch.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parseIfAddr, parsePrefix } from '#net/prefix.ts';
import { PROTO_POLDER } from '#wire/netlink/values.ts';

const skip = noKernel;
const VETH = { op: 'link.add', link: { name: 'a', info: { kind: 'veth' }, up: true, peer: { name: 'b' } } } as const;
const ROUTE = {
  to: parsePrefix('10.1.0.0/16'),
  type: 'unicast',
  table: 254,
  protocol: PROTO_POLDER,
  scope: 'link',
  hops: [{ link: 'a' }],
} as const;
const ADDRESS = { link: 'a', address: parseIfAddr('10.0.0.1/24'), scope: 'global' } as const;

test('watchNetlink tells of links, addresses and routes by name, in order', { skip }, async () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const seen: NetlinkEvent[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  using _watch = watchNetlink(
    ['link', 'address', 'route'],
    (event) => {
      seen.push(event);
      if (event.event === 'linkGone' && event.name === 'a') resolve();
    },
    { netnsFd: ns.fd },
  );
  netlink.run([VETH, { op: 'link.set', name: 'b', change: { up: true } }]);
  netlink.run([
    { op: 'addr.add', address: ADDRESS },
    { op: 'route.add', route: ROUTE },
    { op: 'route.del', route: ROUTE },
  ]);
  netlink.run([{ op: 'link.del', name: 'a' }]);
  await promise;
  const routes = seen.filter((e) => e.event === 'route' && e.route.to === ROUTE.to);
  assert.deepEqual(
    routes.map((e) => e.event === 'route' && [e.gone, e.route.hops[0]?.link]),
    [
      [false, 'a'],
      [true, 'a'],
    ],
  );
  assert.ok(seen.some((e) => e.event === 'address' && !e.gone && e.address.address === ADDRESS.address));
  assert.ok(seen.some((e) => e.event === 'link' && e.link.name === 'b' && e.link.up));
  assert.ok(!seen.some((e) => e.event === 'overrun'));
});

test('watchNetlink reports an overrun and goes on', { skip }, async () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  netlink.run([VETH]);
  const { promise, resolve } = Promise.withResolvers<void>();
  let overrun = false;
  using _watch = watchNetlink(
    ['route'],
    (event) => {
      if (event.event === 'overrun') netlink.run([{ op: 'route.add', route: { ...ROUTE, metric: 7 } }]);
      overrun ||= event.event === 'overrun';
      if (event.event === 'route' && event.route.metric === 7) resolve();
    },
    { netnsFd: ns.fd },
  );
  // More notifications than the receive buffer holds, without a turn of the event loop in between.
  const flood = Array.from({ length: 500 }, () => [
    { op: 'route.add', route: ROUTE } as const,
    { op: 'route.del', route: ROUTE } as const,
  ]).flat();
  for (let i = 0; i < 12; i++) netlink.run(flood);
  await promise;
  assert.ok(overrun);
});

test('watchNetlink tells nothing once it is closed', { skip }, async () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const seen: NetlinkEvent[] = [];
  const watch = watchNetlink(['link'], (event) => seen.push(event), { netnsFd: ns.fd });
  netlink.run([VETH]);
  watch[Symbol.dispose]();
  watch[Symbol.dispose]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, []);
});

test('watchNetlink tells of rules of both families', { skip }, async () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  using _watch = watchNetlink(
    ['rule'],
    (event) => {
      if (event.event === 'rule') seen.push(`${event.rule.family} ${event.rule.priority} ${event.gone}`);
      if (seen.length === 4) resolve();
    },
    { netnsFd: ns.fd },
  );
  for (const family of [4, 6] as const) {
    const rule = { family, priority: 99, table: 7 };
    netlink.run([
      { op: 'rule.add', rule },
      { op: 'rule.del', rule },
    ]);
  }
  await promise;
  assert.deepEqual(seen, ['4 99 false', '4 99 true', '6 99 false', '6 99 true']);
});
