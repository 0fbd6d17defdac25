/** dhcp beside the reference plugin and its daemon, each with a dnsmasq of its own that has the same to give. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { type DhcpServer, noDnsmasq, startDnsmasq } from '#cni/testing/dhcp-server.ts';
import {
  type Compared,
  lifeOn,
  type Node,
  noReference,
  ourNode,
  REFERENCE,
  referenceNode,
} from '#cni/testing/differential.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noReference('dhcp', 'macvlan') || noDnsmasq;

const CLIENT = Buffer.from('c1/net/eth0')
  .toString('hex')
  .replace(/..(?=.)/g, '$&:');
/** By the name that both give their client, so that they have the same address though not the same MAC. */
const KNOWN = `dhcp-host=id:00:${CLIENT},10.50.0.77`;
const RANGE = 'dhcp-range=10.50.0.10,10.50.0.200,255.255.255.0,1h';

const ROUTER = 'dhcp-option=option:router,10.50.0.1';
const CLASSLESS = 'dhcp-option=option:classless-static-route,10.60.0.0/16,10.50.0.7,0.0.0.0/0,10.50.0.1';

const CASES: Readonly<Record<string, { options: readonly string[]; ipam?: object }>> = {
  'an address and a router': { options: [ROUTER] },
  'classless routes, asked for': { options: [ROUTER, CLASSLESS], ipam: { request: [{ option: '121' }] } },
};

/** The segment of the node's `up0`, with a server at its other end. */
async function served(t: TestContext, node: Node, options: readonly string[]): Promise<DhcpServer> {
  const far = scratchNetns();
  t.after(() => far.close());
  node.sh(`ip link add up0 type veth peer name srv0 netns ${pathOf(far)} && ip link set up0 up`);
  node.sh(`nsenter --net=${pathOf(far)} sh -c 'ip addr add 10.50.0.1/24 dev srv0 && ip link set srv0 up'`);
  return startDnsmasq(t, far, [RANGE, KNOWN, ...options]);
}

/** The reference's daemon; resolves when its socket is there. */
async function daemon(t: TestContext, node: Node, dir: string): Promise<string> {
  const socket = join(dir, 'reference-dhcp.sock');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const watcher = watch(dir, () => existsSync(socket) && resolve());
  const args = ['daemon', '-socketpath', socket];
  const child = inNetns(node.host, () => spawn(join(REFERENCE, 'dhcp'), args, { stdio: 'ignore' }));
  child.on('exit', (code) => reject(new Error(`the reference's daemon ended with ${code}`)));
  t.after(() => child.kill('SIGKILL'));
  await promise.finally(() => watcher.close());
  return socket;
}

async function life(node: Node, ipam: object, server: DhcpServer, ours: boolean) {
  const conf = { type: 'macvlan', master: 'up0', ipam: { type: 'dhcp', ...ipam } };
  const { result, state, after }: Compared = await lifeOn(node, { conf }, ours);
  await server.says(/DHCPRELEASE/, true);
  return { result, pod: state.pod, after: after.pod, leases: server.leases() };
}

async function bothLives(t: TestContext, options: readonly string[], ipam: object = {}) {
  const b = await bed(t, ROUTED);
  using one = ourNode(b);
  using other = referenceNode();
  const [server, theirServer] = [await served(t, one, options), await served(t, other, options)];
  const daemonSocketPath = await daemon(t, other, b.dir);
  const theirs = await life(other, { ...ipam, daemonSocketPath }, theirServer, false);
  const ours = await life(one, ipam, server, true);
  return { ours, theirs };
}

for (const [name, { options, ipam }] of Object.entries(CASES)) {
  test(`dhcp as the reference: ${name}`, { skip }, async (t) => {
    const { ours, theirs } = await bothLives(t, options, ipam);
    assert.match(JSON.stringify(ours.result), /10\.50\.0\.77\/24/);
    assert.deepEqual(ours, theirs);
  });
}

test('dhcp asks by itself for DNS and classless routes; the reference does not, and has no DNS in its result', {
  skip,
}, async (t) => {
  const dns = ['dhcp-option=option:dns-server,10.50.0.53', 'domain=lan.example'];
  const { ours, theirs } = await bothLives(t, [ROUTER, CLASSLESS, ...dns]);
  const own = {
    routes: [
      { dst: '10.60.0.0/16', gw: '10.50.0.7' },
      { dst: '0.0.0.0/0', gw: '10.50.0.1' },
    ],
    dns: { nameservers: ['10.50.0.53'], domain: 'lan.example' },
  };
  const its = { routes: [{ dst: '0.0.0.0/0', gw: '10.50.0.1' }], dns: {} };
  assert.partialDeepStrictEqual(ours.result, own);
  assert.deepEqual({ ...Object(ours.result), ...its }, theirs.result);
});
