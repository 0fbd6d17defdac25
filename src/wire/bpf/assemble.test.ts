import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddr } from '#net/addr.ts';
import { parseMac } from '#net/mac.ts';
import { parsePrefix } from '#net/prefix.ts';
import { alu, aluReg, assemble, call, exit, goto, jump, type Line, load, loadMap, store } from '#wire/bpf/assemble.ts';
import {
  fromNetwork,
  fromPod,
  POD_VALUE,
  podKey,
  podValue,
  WAY_KEY,
  WAY_VALUE,
  wayKey,
  wayValue,
} from '#wire/bpf/fast-path.ts';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

test('assemble writes instructions as linux/bpf.h lays them out', () => {
  const cases: [Line, string][] = [
    [alu(0, '=', -1), 'b7000000ffffffff'],
    [aluReg(6, '=', 1), 'bf16000000000000'],
    [load(32, 2, 6, 76), '61624c0000000000'],
    [load(16, 4, 2, 12), '69240c0000000000'],
    [store(32, 10, -8, 7), '637af8ff00000000'],
    [loadMap(1, 5), '18110000050000000000000000000000'],
    [call(155), '850000009b000000'],
    [exit, '9500000000000000'],
  ];
  for (const [line, expected] of cases) assert.equal(hex(assemble([line])), expected);
});

test('assemble leads jumps to labels, over wide instructions too', () => {
  const lines = [jump(0, '==', 0, 'end'), loadMap(1, 3), goto('end'), { label: 'end' }, exit];
  assert.equal(hex(assemble(lines)).match(/.{16}/g)?.[0], '1500030000000000');
  assert.equal(hex(assemble(lines)).match(/.{16}/g)?.[3], '0500000000000000');
  assert.throws(() => assemble([goto('nowhere')]), /no such label/);
});

test('the fast path’s entries have the sizes that its maps are made with', () => {
  const mac = parseMac('02:00:00:00:00:01');
  const pod = podValue({ ifindex: 7, mtu: 1450, mac, hostMac: parseMac('ee:ee:ee:ee:ee:ee') });
  assert.equal(hex(pod), '07000000aa050000020000000001eeeeeeeeeeee');
  assert.equal(pod.length, POD_VALUE);
  assert.equal(hex(podKey(parseAddr('10.244.1.2'))), '0af40102');
  const way = wayValue({ ifindex: 2, mtu: 1500, via: parseAddr('192.168.1.102') });
  assert.equal(way.length, WAY_VALUE);
  assert.equal(hex(wayKey(parsePrefix('10.244.2.0/24'))), '180000000af40200');
  assert.equal(wayKey(parsePrefix('10.244.2.0/24')).length, WAY_KEY);
});

test('the fast path’s programs end, and are small', () => {
  for (const program of [fromPod(3, 4), fromNetwork(3)]) {
    assert.equal(program.length % 8, 0);
    assert.ok(program.length / 8 < 128);
    assert.equal(hex(program.subarray(-8)), hex(assemble([exit])));
  }
});
