import assert from 'node:assert/strict';
import { test } from 'node:test';
import { levels, nodeCidrs } from '#lab/verify/addresses.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { Node, Pod } from '#spec/k8s.ts';

const cluster = [parsePrefix('10.244.0.0/16')];
const node = (name: string, podCIDR?: string): Node => ({
  metadata: { name },
  spec: podCIDR === undefined ? {} : { podCIDR },
});
const pod = (name: string, nodeName: string, podIP: string): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { nodeName, containers: [] },
  status: { phase: 'Running', podIP },
});
const two = [node('a', '10.244.1.0/24'), node('b', '10.244.2.0/24')];

test('levels holds for networks within networks and addresses within them', () => {
  const finding = levels(cluster, nodeCidrs(two), [pod('x', 'a', '10.244.1.2'), pod('y', 'b', '10.244.2.2')]);
  assert.deepEqual(finding, {
    ok: true,
    seen: '10.244.0.0/16 -> a 10.244.1.0/24, b 10.244.2.0/24 -> 2 pods, all different',
  });
});

test('levels names what does not hold', () => {
  const seen = (nodes: readonly Node[], pods: readonly Pod[] = []) => {
    const finding = levels(cluster, nodeCidrs(nodes), pods);
    assert.equal(finding.ok, false);
    return finding.seen;
  };
  assert.match(seen([node('a')]), /a has no network/);
  assert.match(seen([node('a', '10.1.0.0/24')]), /outside of 10\.244/);
  assert.match(seen([node('a', '10.244.1.0/24'), node('b', '10.244.1.0/25')]), /overlaps 10\.244\.1\.0\/24/);
  assert.match(
    seen(two, [pod('x', 'a', '10.244.2.2')]),
    /default\/x has 10\.244\.2\.2, which is not in 10\.244\.1\.0\/24/,
  );
  assert.match(
    seen(two, [pod('x', 'a', '10.244.1.2'), pod('y', 'a', '10.244.1.2')]),
    /default\/x and default\/y both have/,
  );
});

test('levels leaves out pods that have ended, whose address may be another’s by now', () => {
  const ended = { ...pod('x', 'a', '10.244.1.2'), status: { phase: 'Succeeded', podIP: '10.244.1.2' } } as const;
  assert.equal(levels(cluster, nodeCidrs(two), [ended, pod('y', 'a', '10.244.1.2')]).ok, true);
});

test('levels wants an address of each family in each network', () => {
  const both = [...cluster, parsePrefix('fd00:10:244::/48')];
  const dual = (name: string, i: number): Node => ({
    metadata: { name },
    spec: { podCIDR: `10.244.${i}.0/24`, podCIDRs: [`10.244.${i}.0/24`, `fd00:10:244:${i}::/64`] },
  });
  const ips = (...texts: string[]): Pod => ({
    ...pod('x', 'a', texts[0] ?? ''),
    status: { phase: 'Running', podIP: texts[0] ?? '', podIPs: texts.map((ip) => ({ ip })) },
  });
  const nodes = [dual('a', 1), dual('b', 2)];
  assert.equal(levels(both, nodeCidrs(nodes), [ips('10.244.1.2', 'fd00:10:244:1::2')]).ok, true);
  assert.match(levels(both, nodeCidrs(nodes), [ips('10.244.1.2', 'fd00:10:244:2::2')]).seen, /which is not in .* of a/);
  assert.match(levels(both, nodeCidrs(two), []).seen, /a has 10\.244\.1\.0\/24, nothing of fd00:10:244::\/48/);
});

test('levels takes blocks for networks, and addresses borrowed from another node’s', () => {
  const blocks = new Map([
    ['a', [parsePrefix('10.244.1.0/26')]],
    ['b', [parsePrefix('10.244.2.0/26'), parsePrefix('10.244.1.9/32')]],
  ]);
  assert.equal(levels(cluster, blocks, [pod('x', 'a', '10.244.1.2'), pod('y', 'b', '10.244.1.9')]).ok, true);
  assert.match(
    levels(cluster, blocks, [pod('x', 'b', '10.244.1.8')]).seen,
    /not in 10\.244\.2\.0\/26 or 10\.244\.1\.9\/32/,
  );
});

test('levels takes several pools of one family: a node need not have a block of each', () => {
  const pools = [...cluster, parsePrefix('10.9.0.0/24')];
  const blocks = new Map([
    ['a', [parsePrefix('10.244.1.0/26'), parsePrefix('10.9.0.0/28')]],
    ['b', [parsePrefix('10.244.2.0/26')]],
  ]);
  assert.equal(levels(pools, blocks, [pod('x', 'a', '10.9.0.3'), pod('y', 'b', '10.244.2.9')]).ok, true);
  assert.match(levels(cluster, blocks, []).seen, /a has 10\.9\.0\.0\/28, outside of 10\.244\.0\.0\/16/);
});
