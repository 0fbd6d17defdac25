import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { makeTap } from '#kernel/tap.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noKernel || (existsSync('/dev/net/tun') ? false : 'needs /dev/net/tun');

test('makeTap leaves an interface with its owner, and refuses a name that is taken', { skip }, () => {
  using ns = scratchNetns();
  using netlink = openNetlink(ns.fd);
  makeTap({ name: 'tap0', owner: 1000, group: 1001, multiQueue: true }, ns);
  makeTap({ name: 'tap1' }, ns);
  const kind = { kind: 'tun', mode: 'tap', persist: true } as const;
  assert.deepEqual(netlink.link('tap0')?.info, { ...kind, owner: 1000, group: 1001, multiQueue: true });
  assert.deepEqual(netlink.link('tap1')?.info, { ...kind, multiQueue: false });
  assert.throws(() => makeTap({ name: 'tap1' }, ns), { code: 'EBUSY' });
  assert.deepEqual(
    netlink.run([
      { op: 'link.set', name: 'tap1', change: { up: true } },
      { op: 'link.del', name: 'tap0' },
    ]),
    [],
  );
});

test('makeTap refuses names that are none', { skip }, () => {
  assert.throws(() => makeTap({ name: '' }), RangeError);
  assert.throws(() => makeTap({ name: 'far-too-long-for-it' }), RangeError);
});
