/** Classifiers and actions that not every kernel has. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { parsePrefix } from '#net/prefix.ts';
import { addressKeys } from '#wire/netlink/filter.ts';
import { printOp } from '#wire/netlink/print.ts';
import { refusalError } from '#wire/netlink/refusal.ts';
import { type Filter, tcId } from '#wire/netlink/tc-values.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

const skip = noKernel;
const GROUND: readonly NetlinkOp[] = [
  { op: 'link.add', link: { name: 'a', info: { kind: 'veth' }, up: true, peer: { name: 'b' } } },
  { op: 'qdisc.add', qdisc: { link: 'a', info: { kind: 'clsact' } } },
  { op: 'qdisc.add', qdisc: { link: 'a', handle: tcId(1), info: { kind: 'htb', defaultClass: 2 } } },
];
const base = { link: 'a', parent: 'egress', priority: 7, protocol: 'all' } as const;
const keys = addressKeys('source', parsePrefix('fd00:1::/40'));

const FILTERS: Readonly<Record<string, Filter>> = {
  'matchall that redirects': { ...base, match: { kind: 'matchall' }, action: { kind: 'redirect', to: 'b' } },
  'matchall that drops': { ...base, match: { kind: 'matchall' }, action: { kind: 'drop' } },
  'u32 that drops': { ...base, protocol: 'ipv6', match: { kind: 'u32', keys }, action: { kind: 'drop' } },
  'u32 that lets pass': { ...base, parent: 'ingress', match: { kind: 'u32', keys: [] }, action: { kind: 'pass' } },
  'matchall into a class': { ...base, parent: tcId(1), match: { kind: 'matchall' }, class: tcId(1, 2) },
};

for (const [title, filter] of Object.entries(FILTERS)) {
  test(`${title} is read back as it was made, also by the line that is printed`, { skip }, (t) => {
    using ns = scratchNetns();
    using netlink = openNetlink(ns.fd);
    const [failure] = netlink.run([...GROUND, { op: 'filter.add', filter }]);
    if (failure) return t.skip(refusalError(failure).message);
    const read = () => netlink.filters('a', filter.parent).map(({ handle: _, ...rest }) => rest);
    assert.deepEqual(read(), [filter]);
    assert.deepEqual(netlink.run([{ op: 'filter.del', filter }]), []);
    assert.deepEqual(read(), []);
    const line = inNetns(ns, () =>
      spawnSync('sh', ['-c', printOp({ op: 'filter.add', filter })], { encoding: 'utf8' }),
    );
    assert.equal(line.stderr, '');
    assert.deepEqual(read(), [filter]);
  });
}
