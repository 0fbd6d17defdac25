/** What is wrong with a plugin or the machine is told of it, and stops nobody else. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Descriptor } from '#cni/conformance/descriptor.ts';
import { runSuite } from '#cni/conformance/run.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { DESCRIPTOR, putScript, script } from '#test/conformance/scripted.ts';

const skip = noKernel;
const BASE = { seed: 1, jobs: 2 };

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('a plugin that cannot be started fails its cases, and the others are tried', { skip }, async (t) => {
  const dir = folder(t);
  putScript(dir, 'broken', '#!/no/such/interpreter\n');
  putScript(dir, DESCRIPTOR.type, script({}));
  const descriptors: Descriptor[] = [{ type: 'broken', kind: 'main', conf: {} }, DESCRIPTOR];
  const types = ['broken', DESCRIPTOR.type];
  const { cases } = await runSuite({ ...BASE, dir, types, descriptors, grep: /\/version\.answer$/ });
  assert.deepEqual(
    cases.map(({ id, status }) => [id, status]),
    [
      ['broken/version.answer', 'failed'],
      ['scripted/version.answer', 'passed'],
    ],
  );
  assert.match(cases[0]?.seen ?? '', /exit status 127.*No such file/);
});

for (const key of ['setup', 'perPod'] as const) {
  test(`a tool of ${key} that is not installed skips the case`, { skip }, async (t) => {
    const dir = folder(t);
    putScript(dir, DESCRIPTOR.type, script({}));
    const descriptors: Descriptor[] = [{ ...DESCRIPTOR, [key]: [['no-such-tool', '-x']] }];
    const { cases } = await runSuite({ ...BASE, dir, types: ['scripted'], descriptors, grep: /\/add\.result$/ });
    assert.deepEqual(
      [cases[0]?.status, cases[0]?.reason],
      ['skipped', 'there is no no-such-tool, which this case needs'],
    );
  });
}

test('a plugin that goes before may be of the same list', { skip }, async (t) => {
  const dir = folder(t);
  putScript(dir, DESCRIPTOR.type, script({}));
  putScript(dir, 'after', CHAINED);
  const after: Descriptor = { type: 'after', kind: 'meta', conf: {}, beneath: ['no-such', DESCRIPTOR.type] };
  const options = { ...BASE, dir, types: ['after'], descriptors: [DESCRIPTOR, after] };
  const { cases } = await runSuite({ ...options, grep: /\/add\.result$/ });
  assert.deepEqual([cases[0]?.status, cases[0]?.seen], ['passed', undefined]);
});

/** Passes on what it is given. */
const CHAINED = `#!/bin/sh
conf=$(cat)
[ "$CNI_COMMAND" = VERSION ] && { printf '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'; exit 0; }
[ "$CNI_COMMAND" = ADD ] && printf '%s' "$conf" | sed 's/.*"prevResult":\\({.*}\\)}$/\\1/'
exit 0
`;

test('a case that the descriptor skips is told with its reason; one that there is not is refused', {
  skip,
}, async (t) => {
  const dir = folder(t);
  putScript(dir, DESCRIPTOR.type, script({}));
  const tried = (id: string) =>
    runSuite({
      ...BASE,
      dir,
      types: ['scripted'],
      grep: /\/add\.(twice|result)$/,
      descriptors: [{ ...DESCRIPTOR, skip: { [id]: 'it may' } }],
    });
  const { cases } = await tried('add.twice');
  assert.deepEqual(
    cases.map(({ status, reason }) => [status, reason]),
    [
      ['passed', undefined],
      ['skipped', 'it may'],
    ],
  );
  await assert.rejects(tried('add.thrice'), /the descriptor of scripted skips add\.thrice, which is no case of it/);
});
