/** The fake and the lines that operations print as do what the kernel does. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { FakeNetlink } from '#kernel/netlink/fake/fake.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { observe } from '#kernel/netlink/testing/observe.ts';
import { SCRIPTS, type Script } from '#kernel/netlink/testing/scripts.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { noKernel, scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { printOp } from '#wire/netlink/print.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

const skip = noKernel;
const noIproute2 = skip || (spawnSync('ip', ['-V']).error ? 'needs iproute2' : false);

interface Outcome {
  /** Of each operation: the code it was refused with, or 'done'. */
  readonly codes: readonly string[];
  readonly here: unknown;
  readonly there: unknown;
}

function byKernel(script: Script): Outcome {
  using here = scratchNetns();
  using there = scratchNetns();
  using netlink = openNetlink(here.fd);
  using other = openNetlink(there.fd);
  const ops = script(there.fd);
  const failures = netlink.run(ops);
  return { codes: codesOf(ops, failures), here: observe(netlink), there: observe(other) };
}

function byFake(script: Script): Outcome {
  const OTHER = 1000;
  const other = new FakeNetlink();
  const netlink = new FakeNetlink(new Map([[OTHER, other]]));
  const ops = script(OTHER);
  const failures = netlink.run(ops);
  return { codes: codesOf(ops, failures), here: observe(netlink), there: observe(other) };
}

function codesOf(ops: readonly NetlinkOp[], failures: readonly { op: NetlinkOp; code: string }[]): string[] {
  const left = [...failures];
  return ops.map((op) => {
    if (left[0]?.op !== op) return 'done';
    return left.shift()?.code ?? '';
  });
}

/** The codes are not iproute2's to tell: only whether it did what it was told. */
function byIproute2(script: Script): Outcome {
  using here = scratchNetns();
  using there = scratchNetns();
  using netlink = openNetlink(here.fd);
  using other = openNetlink(there.fd);
  const lines = script(INHERITED_FD).map(printOp);
  const text = lines.map((line) => `if ${line}; then echo done; else echo failed; fi`).join('\n');
  const shell = inNetns(here, () =>
    spawnSync('sh', ['-c', text], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe', there.fd] }),
  );
  return { codes: shell.stdout.trim().split('\n'), here: observe(netlink), there: observe(other) };
}

/** What the namespace's descriptor is in the shell. */
const INHERITED_FD = 3;

for (const [name, script] of Object.entries(SCRIPTS)) {
  test(`the fake does as the kernel: ${name}`, { skip }, () => {
    assert.deepEqual(byFake(script), byKernel(script));
  });

  test(`iproute2 does the same when given what is printed: ${name}`, { skip: noIproute2 }, () => {
    const kernel = byKernel(script);
    const codes = kernel.codes.map((code) => (code === 'done' ? code : 'failed'));
    assert.deepEqual(byIproute2(script), { ...kernel, codes });
  });
}
