/** The conformance suite: what it says of good plugins, and that plugins which are bad on purpose do not pass. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { asTable } from '#cni/conformance/report/text.ts';
import { runSuite, type SuiteResult } from '#cni/conformance/run.ts';
import { startCniServer } from '#cni/server/server.ts';
import { noBed, ROUTED, SHIM } from '#cni/testing/bed.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';
import { onDebian } from '#test/conformance/debian.ts';
import {
  caseOf,
  endedOtherwise,
  namesOf,
  PLACE_SETS,
  type PlaceResults,
  readResults,
  typeOf,
} from '#test/conformance/results.ts';
import { DESCRIPTOR, type Flaws, putScript, script } from '#test/conformance/scripted.ts';
import { CASES, SETS } from '#test/conformance/sets.ts';

const REFERENCE = '/usr/lib/cni';
const tools = ['ip', 'bridge', 'tc', 'nft', 'ping'].find((tool) => spawnSync('which', [tool]).status !== 0);
const skip = noKernel || (tools !== undefined && `there is no ${tools}`);
const noReference = skip || (!existsSync(join(REFERENCE, 'bridge')) && 'containernetworking-plugins is not installed');

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'pt-conformance-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function failed(result: SuiteResult): string[] {
  return result.cases.filter((one) => one.status === 'failed').map((one) => one.id);
}

const QUICK =
  /\/(version\.(answer|unsupported)|versions\.1|input\.(words|unknown)|add\.(effect$|twice|interfaces|addresses)|del\.(clean|twice)|check\.)/;

test('the reference bridge, ptp and host-local pass a quick part of it', { skip: noReference }, async () => {
  const types = ['bridge', 'ptp', 'host-local'];
  const result = await runSuite({ dir: REFERENCE, types, grep: QUICK, seed: 1, jobs: 2 });
  assert.deepEqual(failed(result), [], asTable(result));
  assert.ok(result.passed > 40, asTable(result));
});

test('what the reference gets wrong is found: no cniVersion in its error object', { skip: noReference }, async () => {
  const result = await runSuite({ dir: REFERENCE, types: ['ptp'], grep: /error\.cniVersion/, seed: 1, jobs: 1 });
  assert.equal(result.failed, 1);
  assert.match(asTable(result), /FAILED ptp\/error\.cniVersion/);
});

test('polder passes a quick part of it', { skip: skip || noBed() }, async (t) => {
  const dir = folder(t);
  symlinkSync(SHIM, join(dir, 'polder'));
  const socketPath = join(dir, 'cni.sock');
  const log = { info() {}, warn() {}, error() {} };
  const options = { socketPath, stateDir: dir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 };
  await using _ = await startCniServer(options);
  const env = { POLDER_CNI_SOCKET: socketPath };
  const more = /\/(parallel|gc|status|traffic|killed\.add)/;
  const grep = new RegExp(`${QUICK.source}|${more.source}`);
  const result = await runSuite({ dir, types: ['polder'], env, grep, seed: 1, jobs: 2 });
  assert.deepEqual(failed(result), [], asTable(result));
  assert.ok(result.passed > 20, asTable(result));
});

/** Some of the reference's failures among them. */
const TOLD = /\/(error|add\.twice|del\.(twice|unknown|netns-empty)|check\.(ok|never|qdisc))/;

for (const set of PLACE_SETS.here) {
  const noSet = set === 'reference' ? noReference : skip || noBed();

  test(`quick cases of all types end as the document says: ${set}`, { skip: noSet }, async () => {
    const result = await SETS[set]({ grep: TOLD, seed: 1, jobs: 2 });
    assert.deepEqual(endedOtherwise('here', set, result), [], asTable(result));
  });

  test(`the document tells of the cases that the suite has today: ${set} (else run test/conformance/take.ts)`, {
    skip: noSet,
  }, async () => {
    const { here, debian } = readResults();
    const kept = (places: PlaceResults) =>
      Object.fromEntries(Object.entries(places[set]?.types ?? {}).map(([type, result]) => [type, namesOf(result)]));
    const today = (ids: readonly string[]) =>
      Object.fromEntries([...Map.groupBy(ids, typeOf)].map(([type, all]) => [type, all.map(caseOf).sort()] as const));
    const listed = (await CASES[set]({})).filter((id) => id.includes('/'));
    assert.deepEqual(today(listed), kept(here));
    if (set === 'alone') return;
    const onVm = (await CASES[set](onDebian([]))).filter((id) => id.includes('/'));
    assert.deepEqual(today(onVm), kept(debian));
  });
}

const noServer = spawnSync('which', ['dnsmasq']).status !== 0 && 'there is no dnsmasq';

test('dhcp passes all of it, with a dnsmasq that the suite starts', {
  skip: skip || noBed() || noServer,
}, async (t) => {
  const dir = folder(t);
  symlinkSync(SHIM, join(dir, 'dhcp'));
  const socketPath = join(dir, 'run', 'cni.sock');
  const log = { info() {}, warn() {}, error() {} };
  await using _ = await startCniServer({ socketPath, stateDir: dir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 });
  const env = { POLDER_CNI_SOCKET: socketPath };
  const result = await runSuite({ dir, types: ['dhcp'], env, seed: 1, jobs: 2 });
  assert.deepEqual(failed(result), [], asTable(result));
  assert.ok(result.passed >= 60, asTable(result));
});

/** Each bad one differs from the sound one by one thing. */
async function trial(t: TestContext, flaws: Flaws, grep: RegExp): Promise<SuiteResult> {
  const dir = folder(t);
  putScript(dir, DESCRIPTOR.type, script(flaws));
  return runSuite({ dir, types: [DESCRIPTOR.type], descriptors: [DESCRIPTOR], grep, seed: 1, jobs: 2 });
}

const BASICS =
  /\/(version\.|versions\.|add\.(result|effect|twice|interfaces|netns)|del\.(clean|twice|unknown)|check\.)/;

test('a small sound script passes the basics', { skip }, async (t) => {
  const result = await trial(t, {}, BASICS);
  assert.deepEqual(failed(result), [], asTable(result));
  assert.ok(result.passed >= 10, asTable(result));
});

test('a plugin that lists a later version of the specification, too, passes', { skip }, async (t) => {
  const result = await trial(t, { supported: '"1.0.0","1.2.0","2.0.0-rc1"' }, /\/version\.answer$/);
  assert.deepEqual([result.passed, result.failed], [1, 0], asTable(result));
});

const BAD: readonly (readonly [string, Flaws, string])[] = [
  ['prints garbage before its result', { before: 'echo hello' }, 'scripted/add.result'],
  ['exits with 0 on error', { onError: 'exit 0' }, 'scripted/add.twice'],
  ['leaves an interface behind at DEL', { del: ':' }, 'scripted/del.clean'],
  ['lists no version', { supported: '"one"' }, 'scripted/version.answer'],
  ['answers another version than asked', { version: '0.4.0' }, 'scripted/versions.1.0.0'],
  [
    'fails at the second DEL',
    { del: 'ip link del "h$short" 2>/dev/null || fail 11 "not there"' },
    'scripted/del.twice',
  ],
];

for (const [what, flaws, caught] of BAD) {
  test(`a plugin that ${what} is caught by ${caught}`, { skip }, async (t) => {
    const result = await trial(t, flaws, BASICS);
    assert.ok(failed(result).includes(caught), asTable(result));
    const one = result.cases.find((each) => each.id === caught);
    assert.ok(one?.expected && one.seen, 'with what was expected and seen');
  });
}
