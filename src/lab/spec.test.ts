import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSpec } from '#lab/check.ts';
import { checkName } from '#lab/names.ts';
import { clusterCidrs, freeNodeAddr, labSpec, nodeAddrs, type WantedLab } from '#lab/spec.ts';
import { parseAddr } from '#net/addr.ts';
import { PolderError } from '#spec/errors.ts';

function refused(wanted: Partial<WantedLab>): { code: string; message: string } {
  try {
    checkSpec(labSpec({ name: 'x', ...wanted }));
  } catch (error) {
    assert.ok(error instanceof PolderError, String(error));
    return { code: error.code, message: error.message };
  }
  return assert.fail('it was taken');
}

test('labSpec fills in what was not said: three nodes as the seeds number them', () => {
  const spec = labSpec({ name: 'polder' });
  assert.equal(spec.profile, 'vxlan');
  assert.equal(spec.clusterCidr, '10.244.0.0/16');
  assert.deepEqual(
    spec.nodes.map(({ name, addr, subnet }) => [name, addr, subnet]),
    [
      ['node1', '192.168.1.101', 1],
      ['node2', '192.168.1.102', 1],
      ['node3', '192.168.1.103', 1],
    ],
  );
});

test('labSpec spreads nodes over two subnets in turn', () => {
  const { nodes } = labSpec({ name: 'x', subnets: 2, nodeCount: 4 });
  assert.deepEqual(
    nodes.map(({ addr }) => addr),
    ['192.168.1.101', '192.168.2.102', '192.168.1.103', '192.168.2.104'],
  );
});

test('labSpec gives no address twice', () => {
  const nodes = Array.from({ length: 150 }, (_, i) => ({ name: `n${i}`, subnet: i < 3 ? 2 : 1 }));
  const addrs = labSpec({ name: 'x', subnets: 2, nodes }).nodes.map(({ addr }) => addr);
  assert.equal(new Set(addrs).size, 150);
});

test('freeNodeAddr takes the lowest that is free', () => {
  assert.equal(freeNodeAddr(1, new Set([parseAddr('192.168.1.101')])), '192.168.1.102');
});

test('a specification that cannot be is refused with its reason', () => {
  assert.match(refused({ clusterCidr: '10.244.0.0/33' }).message, /Cannot read "10\.244\.0\.0\/33"/);
  assert.match(refused({ clusterCidr: '10.244.1.0/16' }).message, /the network is 10\.244\.0\.0\/16/);
  assert.match(refused({ clusterCidr: '192.168.0.0/16' }).message, /overlaps 192\.168\.1\.0\/24/);
  assert.match(refused({ clusterCidr: '10.100.0.0/16' }).message, /overlaps 10\.96\.0\.0\/12/);
  assert.match(refused({ family: 'ipv5' }).message, /no family "ipv5"; there are ipv4, ipv6, dual/);
  assert.match(refused({ family: 'dual', clusterCidr: '10.1.0.0/16' }).message, /is to be dual, but .* is ipv4/);
  assert.match(refused({ clusterCidr: 'fd00::/48,10.1.0.0/16' }).message, /not one IPv4 network and then one IPv6/);
  assert.match(refused({ clusterCidr: 'fd00:192:168::/48' }).message, /overlaps fd00:192:168:1::\/64/);
  assert.match(refused({ clusterCidr: 'fd00::/32' }).message, /more than 65536 parts/);
  assert.match(refused({ clusterCidr: '10.244.0.0/23', nodeCount: 3 }).message, /room for 2 nodes/);
  assert.equal(refused({ clusterCidr: '10.244.0.0/23', nodeCount: 3 }).code, 'cidr-invalid');
  assert.match(refused({ profile: 'ipip' }).message, /no profile "ipip"; there are vxlan, /);
  assert.match(refused({ nodeCount: 0 }).message, /number of nodes must be a whole number from 1 to 150/);
  assert.match(refused({ mtu: 100 }).message, /MTU must be/);
  assert.match(refused({ apiPort: 70_000 }).message, /API port must be/);
  assert.match(refused({ nodes: [{ name: 'a' }, { name: 'a' }] }).message, /Two nodes are named "a"/);
  assert.match(refused({ nodes: [{ name: 'underlay' }] }).message, /cannot be named "underlay"/);
  assert.match(refused({ nodes: [{ name: 'a', subnet: 2 }] }).message, /subnet of a must be/);
  assert.match(refused({ profile: 'flannel-host-gw', subnets: 2 }).message, /must stand in one subnet; here are 2\.$/);
  assert.match(refused({ profile: 'calico-bgp', subnets: 2 }).message, /With --tor the router between them speaks BGP/);
});

test('two subnets suit BGP where the router between them speaks it, too', () => {
  checkSpec(labSpec({ name: 'x', profile: 'calico-bgp', subnets: 2, nodeCount: 2, tor: true }));
});

test('two subnets that are not both used suit host-gw', () => {
  checkSpec(labSpec({ name: 'x', profile: 'flannel-host-gw', subnets: 2, nodes: [{ name: 'a' }] }));
});

test('checkName takes DNS labels without dots only, so that no lab can claim the namespaces of another', () => {
  for (const name of ['a', 'polder', 'lab-2']) assert.equal(checkName('lab', name), name);
  for (const name of ['', 'A', '1a', 'a.b', 'a-', '../x', 'a'.repeat(33)]) {
    assert.throws(() => checkName('lab', name), PolderError);
  }
});

test('a family chooses networks of pods and addresses of nodes', () => {
  const of = (family: string) => labSpec({ name: 'x', family, nodeCount: 2, subnets: 2 });
  const seen = ['ipv4', 'ipv6', 'dual'].map((family) => {
    const spec = of(family);
    return [clusterCidrs(spec), spec.nodes.map((node) => nodeAddrs(spec, node))];
  });
  assert.deepEqual(seen, [
    [['10.244.0.0/16'], [['192.168.1.101'], ['192.168.2.102']]],
    [['fd00:10:244::/48'], [['fd00:192:168:1::101'], ['fd00:192:168:2::102']]],
    [
      ['10.244.0.0/16', 'fd00:10:244::/48'],
      [
        ['192.168.1.101', 'fd00:192:168:1::101'],
        ['192.168.2.102', 'fd00:192:168:2::102'],
      ],
    ],
  ]);
});
