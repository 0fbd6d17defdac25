import assert from 'node:assert/strict';
import { test } from 'node:test';
import { levels } from '#lab/verify/addresses.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { Node, Pod } from '#spec/k8s.ts';

const cluster = parsePrefix('10.244.0.0/16');
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
  const finding = levels(cluster, two, [pod('x', 'a', '10.244.1.2'), pod('y', 'b', '10.244.2.2')]);
  assert.deepEqual(finding, {
    ok: true,
    seen: '10.244.0.0/16 -> a 10.244.1.0/24, b 10.244.2.0/24 -> 2 pods, all different',
  });
});

test('levels names what does not hold', () => {
  const seen = (nodes: readonly Node[], pods: readonly Pod[] = []) => {
    const finding = levels(cluster, nodes, pods);
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
  assert.equal(levels(cluster, two, [ended, pod('y', 'a', '10.244.1.2')]).ok, true);
});
