/** What bad input gets: the specification's error object with the right code, one sentence that names it, and nothing left behind. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Bed, bed, noBed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

interface Input {
  readonly command?: string;
  readonly env?: Record<string, string>;
  /** Over the good configuration; a text replaces all of it. */
  readonly conf?: object | string;
  /** In the pod, before the call. */
  readonly before?: (b: Bed, pod: Netns) => Promise<void> | void;
  readonly code: number;
  readonly says: RegExp;
}

const good = (b: Bed) => ({
  cniVersion: '1.1.0',
  name: 'net',
  type: 'ptp',
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.9.0.0/24' }]], dataDir: join(b.dir, 'ipam') },
});

/** Another pod, that has an address already. */
async function neighbour(b: Bed, t: TestContext, conf: object, env: Record<string, string> = {}): Promise<void> {
  const netns = scratchNetns();
  t.after(() => netns.close());
  const place = { CNI_CONTAINERID: 'other', CNI_NETNS: pathOf(netns), CNI_IFNAME: 'eth0' };
  const { exit, stdout } = await b.cni('ADD', { ...place, ...env }, conf);
  assert.equal(exit, 0, stdout);
}

/** One row for each kind of mistake that a runtime or a person makes. */
const CASES: Readonly<Record<string, Input>> = {
  'a version that is not spoken': { conf: { cniVersion: '2.0.0' }, code: 1, says: /version 2\.0\.0 is not supported/ },
  'no JSON': { conf: '', code: 6, says: /it is empty/ },
  'malformed JSON': { conf: '{"cniVersion": "1.0.0",', code: 6, says: /as JSON/ },
  'JSON that is no object': { conf: '[1]', code: 6, says: /not a JSON object/ },
  'no CNI_COMMAND': { command: '', code: 4, says: /CNI_COMMAND is missing/ },
  'no CNI_CONTAINERID': { env: { CNI_CONTAINERID: '' }, code: 4, says: /CNI_CONTAINERID/ },
  'no CNI_NETNS': { env: { CNI_NETNS: '' }, code: 4, says: /CNI_NETNS/ },
  'no CNI_IFNAME': { env: { CNI_IFNAME: '' }, code: 4, says: /CNI_IFNAME/ },
  'a namespace that does not exist': {
    env: { CNI_NETNS: '/run/netns/polder-no-such' },
    code: 8,
    says: /namespace \/run\/netns\/polder-no-such: it does not exist/,
  },
  'a file that is no namespace': { env: { CNI_NETNS: '/etc/hostname' }, code: 8, says: /no network namespace/ },
  'an interface name too long': { env: { CNI_IFNAME: 'x'.repeat(16) }, code: 4, says: /longer than 15 characters/ },
  'an interface name that is taken': {
    before: (_, pod) => void sh('ip link add eth0 type bridge', pod),
    code: 111,
    says: /already has an interface eth0/,
  },
  'an address outside the range': {
    env: { CNI_ARGS: 'IP=10.10.0.5' },
    code: 7,
    says: /10\.10\.0\.5: it is not a usable/,
  },
  'an address that is taken': {
    env: { CNI_ARGS: 'IP=10.9.0.7' },
    code: 110,
    says: /10\.9\.0\.7: another container has it/,
  },
  'a range used up': {
    conf: {
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.9.0.0/24', rangeStart: '10.9.0.7', rangeEnd: '10.9.0.7' }]] },
    },
    code: 11,
    says: /No free address in 10\.9\.0\.7-10\.9\.0\.7/,
  },
  'a master that is not there': { conf: { type: 'macvlan', master: 'none0' }, code: 7, says: /master .* "none0"/ },
  'no prevResult for CHECK': { command: 'CHECK', code: 7, says: /prevResult is missing/ },
  'no prevResult for a plugin that needs it': { conf: { type: 'sbr' }, code: 7, says: /prevResult is missing/ },
  'a container ID with illegal characters': { env: { CNI_CONTAINERID: 'a/../b' }, code: 4, says: /CNI_CONTAINERID/ },
};

for (const [what, { command = 'ADD', env, conf = {}, before, code, says }] of Object.entries(CASES)) {
  test(`${what}: code ${code}, one sentence, nothing left`, { skip: noBed() }, async (t) => {
    const b = await bed(t, ROUTED);
    using pod = scratchNetns();
    await neighbour(b, t, good(b), { CNI_ARGS: 'IP=10.9.0.7' });
    await before?.(b, pod);
    // Not whether a link has a carrier by now: the kernel says that a moment after it came up.
    const links = "ip -br link | awk '{ print $1, $3 }' | sort";
    const state = () => [sh(links), sh(links, pod), sh(`ls -R ${join(b.dir, 'ipam')}`)];
    const had = state();
    const whole = typeof conf === 'string' ? conf : merged(good(b), conf);
    const usual = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
    const { exit, json = {} } = await b.cni(command, { ...usual, ...env }, whole);
    assert.deepEqual([exit, json.code], [1, code], JSON.stringify(json));
    const { msg, cniVersion } = json;
    assert.ok(typeof msg === 'string' && typeof cniVersion === 'string', JSON.stringify(json));
    assert.match(msg, says);
    assert.doesNotMatch(msg, /\n/);
    assert.deepEqual(state(), had);
  });
}

/** `ipam` key by key, so that all use one folder. */
function merged(base: ReturnType<typeof good>, over: object): object {
  const ipam = 'ipam' in over && typeof over.ipam === 'object' ? { ...base.ipam, ...over.ipam } : base.ipam;
  return { ...base, ...over, ipam };
}
