import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { openConntrack } from '#kernel/conntrack/conntrack.ts';
import { FakeConntrack } from '#kernel/conntrack/fake.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { openNft } from '#kernel/nft/nft.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parseAddr } from '#net/addr.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '#wire/conntrack/values.ts';

const skip = noKernel;
const LOCAL = parseAddr('127.0.0.1');

/** Sends a datagram to each port, from inside the namespace: nobody listens there. */
function send(ns: Netns, ports: readonly number[]): void {
  const lines = ports.map((port) => `echo x >/dev/udp/127.0.0.1/${port}`);
  inNetns(ns, () => spawnSync('bash', ['-c', lines.join('\n')]));
}

test('connections are found and deleted by port, others stay', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  netlink.run([{ op: 'link.set', name: 'lo', change: { up: true } }]);
  using nft = openNft(ns);
  // Connections are tracked only where a rule asks for it.
  assert.ok(
    nft.run(`add table ip t
add chain ip t o { type filter hook output priority 0; }
add rule ip t o ct state new accept
`).ok,
  );
  using conntrack = openConntrack(ns.fd);
  assert.deepEqual(conntrack.connections(), []);
  send(ns, [5001, 5001, 5002]);
  const found = conntrack.connections({ protocol: IPPROTO_UDP, destinationPort: 5001 });
  assert.equal(found.length, 2);
  assert.equal(found[0]?.original.destination, LOCAL);
  assert.equal(found[0]?.reply.sourcePort, 5001);
  const fake = new FakeConntrack(conntrack.connections());
  for (const own of [conntrack, fake]) {
    assert.equal(own.delete({ protocol: IPPROTO_TCP, destinationPort: 5001 }), 0);
    assert.equal(own.delete({ family: 6 }), 0);
    assert.equal(own.delete({ protocol: IPPROTO_UDP, destination: LOCAL, destinationPort: 5001 }), 2);
    assert.equal(own.delete({ protocol: IPPROTO_UDP, destinationPort: 5001 }), 0);
  }
  assert.deepEqual(conntrack.connections(), fake.connections());
  assert.equal(conntrack.connections({ family: 4, replySource: LOCAL, replySourcePort: 5002 }).length, 1);
});
