/** IPIP and WireGuard devices: the fake does as a kernel that has them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeNetlink } from '#kernel/netlink/fake/fake.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { observe } from '#kernel/netlink/testing/observe.ts';
import { TUNNELS } from '#kernel/netlink/testing/scripts.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { refusalError } from '#wire/netlink/refusal.ts';

for (const [name, script] of Object.entries(TUNNELS)) {
  test(`the fake does as the kernel: ${name}`, { skip: noKernel }, (t) => {
    using ns = scratchNetns();
    using netlink = openNetlink(ns.fd);
    const ops = script(0);
    const failures = netlink.run(ops);
    const lacking = failures.find(({ code }) => code === 'EOPNOTSUPP');
    if (lacking) return t.skip(refusalError(lacking).message);
    const fake = new FakeNetlink();
    assert.deepEqual(
      fake.run(ops).map(({ op, code }) => [op, code]),
      failures.map(({ op, code }) => [op, code]),
    );
    const compared = name.startsWith('IPIP') ? observe : (handle: Netlink) => withoutGuests(observe(handle));
    assert.deepEqual(compared(fake), compared(netlink));
  });
}

/** Devices of other tunnels that are in every namespace once their module is loaded. */
function withoutGuests(seen: Record<string, unknown>): unknown {
  const links = Array.isArray(seen.links) ? seen.links : [];
  return {
    ...seen,
    links: links.filter((link) => !/"name":"(tunl0|gre0|gretap0|erspan0|sit0|ip6tnl0)"/.test(JSON.stringify(link))),
  };
}
