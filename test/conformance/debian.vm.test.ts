/** The conformance suite for what kernels at hand may lack, on both sets: its quick cases end as docs/conformance-cni.json says. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { asTable } from '#cni/conformance/report/text.ts';
import { noBed } from '#cni/testing/bed.ts';
import { BELOW, noFeature } from '#kernel/testing/feature.ts';
import { DEBIAN_TYPES, onDebian } from '#test/conformance/debian.ts';
import { isExplained } from '#test/conformance/differences.ts';
import { endedOtherwise } from '#test/conformance/results.ts';
import { REFERENCE, SETS, type SetName } from '#test/conformance/sets.ts';

const noVlan = noFeature(BELOW, {
  op: 'link.add',
  link: { name: 'x', info: { kind: 'vlan', id: 5, protocol: '802.1q' }, parent: 'below' },
});

/** Emulated, on a busy machine. */
const LIMIT_MS = 10 * 60_000;

function noSet(set: SetName): string | false {
  if (set === 'polder') return noBed();
  return !existsSync(REFERENCE) && 'containernetworking-plugins is not installed';
}

for (const set of ['reference', 'polder'] as const) {
  for (const type of DEBIAN_TYPES) {
    test(`conformance of ${type}, ${set}: as the document says`, {
      skip: noVlan || noSet(set),
      timeout: LIMIT_MS,
    }, async () => {
      const result = await SETS[set]({ ...onDebian([type], true), seed: 1, jobs: 2 });
      const failed = result.cases.filter(({ status }) => status === 'failed').map(({ id }) => id);
      assert.deepEqual(set === 'polder' ? failed : failed.filter((id) => !isExplained(id)), [], asTable(result));
      assert.deepEqual(endedOtherwise('debian', set, result), [], asTable(result));
      assert.ok(result.passed >= 2 || result.skipped === 1, asTable(result));
    });
  }
}
