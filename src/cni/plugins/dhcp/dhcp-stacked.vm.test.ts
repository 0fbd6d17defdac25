/** dhcp beneath plugins whose interfaces not every kernel has, with a real dnsmasq. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Bed, bed, noBed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { addressesOf, makeSegment, noDnsmasq, startDnsmasq } from '#cni/testing/dhcp-server.ts';
import { BELOW, noFeature } from '#kernel/testing/feature.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import type { LinkInfo } from '#wire/netlink/values.ts';

const lacks = (info: LinkInfo) => noFeature(BELOW, { op: 'link.add', link: { name: 'x', info, parent: 'below' } });
const noIpvlan = noBed() || noDnsmasq || lacks({ kind: 'ipvlan', mode: 'l2', flag: 'bridge' });
const noVlan = noBed() || noDnsmasq || lacks({ kind: 'vlan', id: 5, protocol: '802.1q' });

const RANGE = 'dhcp-range=10.50.0.10,10.50.0.200,255.255.255.0,1h';
const ROUTER = 'dhcp-option=option:router,10.50.0.1';
const SERVER = '10.50.0.1/24';

function pods(t: TestContext, b: Bed, keys: object) {
  const conf = { cniVersion: '1.1.0', name: 'lan', master: 'up0', ipam: { type: 'dhcp', timeout: 60 }, ...keys };
  return (id: string) => {
    const netns = scratchNetns();
    t.after(() => netns.close());
    const env = { CNI_CONTAINERID: id, CNI_NETNS: pathOf(netns), CNI_IFNAME: 'eth0' };
    return {
      netns,
      async call(command: string, prevResult?: object): Promise<Record<string, unknown>> {
        const { exit, stdout, json } = await b.cni(command, env, { ...conf, ...(prevResult && { prevResult }) });
        assert.equal(exit, 0, `${command}: ${stdout}`);
        return json ?? {};
      },
    };
  };
}

test('dhcp beneath ipvlan: pods that share one hardware address have a lease each, and give it back', {
  skip: noIpvlan,
}, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', SERVER);
  const server = await startDnsmasq(t, segment, [RANGE, ROUTER]);
  const pod = pods(t, b, { type: 'ipvlan', mode: 'l2' });
  const [one, other] = [pod('c1'), pod('c2')];
  const results = [await one.call('ADD'), await other.call('ADD')];
  const addresses = [one, other].map(({ netns }) => addressesOf(netns, 'eth0').join(' '));
  assert.match(addresses.join(' '), /^10\.50\.0\.\d+\/24 10\.50\.0\.\d+\/24$/);
  assert.notEqual(addresses[0], addresses[1]);
  const macs = server.leases().map((line) => line.split(' ')[1]);
  assert.deepEqual([macs.length, new Set(macs).size], [2, 1], server.leases().join('\n'));
  for (const [i, each] of [one, other].entries()) {
    sh('ping -n -q -c 1 -W 5 10.50.0.1', each.netns);
    await each.call('CHECK', results[i]);
  }
  await one.call('DEL', results[0]);
  await server.says(/DHCPRELEASE/, true);
  assert.equal(server.leases().length, 1);
  sh('ping -n -q -c 1 -W 5 10.50.0.1', other.netns);
  await other.call('DEL', results[1]);
});

test('dhcp beneath vlan: the lease is asked for in the VLAN, and works there', { skip: noVlan }, async (t) => {
  const b = await bed(t, ROUTED);
  const segment = makeSegment(t, 'up0', '10.60.0.1/24');
  sh(
    `ip link add link srv0 name srv7 type vlan id 7 && ip addr add ${SERVER} dev srv7 && ip link set srv7 up`,
    segment,
  );
  const server = await startDnsmasq(t, segment, [RANGE, ROUTER]);
  const one = pods(t, b, { type: 'vlan', vlanId: 7 })('c1');
  const result = await one.call('ADD');
  assert.match(addressesOf(one.netns, 'eth0').join(' '), /^10\.50\.0\.\d+\/24$/);
  assert.deepEqual(result.routes, [{ dst: '0.0.0.0/0', gw: '10.50.0.1' }]);
  assert.match(server.log, /DHCPACK\(srv7\)/);
  sh('ping -n -q -c 1 -W 5 10.50.0.1', one.netns);
  await one.call('CHECK', result);
  await one.call('DEL', result);
  await server.says(/DHCPRELEASE/, true);
  assert.deepEqual(server.leases(), []);
});
