/** That the suite can fail: each of our own plugins, spoilt in one way, is caught by the case that is there for it. */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { asTable } from '#cni/conformance/report/text.ts';
import { runSuite } from '#cni/conformance/run.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { startCniServer } from '#cni/server/server.ts';
import { noBed, ROUTED, SHIM } from '#cni/testing/bed.ts';

const skip = noBed();

interface Mutant {
  readonly type: string;
  /** What is wrong with it. */
  readonly does: string;
  /** Shell: `$in` is standard input, `real` runs the plugin on it and keeps its answer in `$out`, its end in `$end`. */
  readonly by: string;
  /** Cases that must fail. */
  readonly caughtBy: readonly string[];
}

/** Replaces in what goes in, or in what comes out. */
const IN = (sed: string) => `in=$(printf '%s' "$in" | sed '${sed}'); real`;
const OUT = (sed: string) => `real; out=$(printf '%s' "$out" | sed '${sed}')`;
const onAdd = (then: string) => `if [ "$CNI_COMMAND" = ADD ]; then ${then}; else real; fi`;

/** One more mapping, made of the first. */
const MORE = (mapping: string) =>
  `p=$(printf '%s' "$in" | sed -n 's/.*"portMappings":\\[{"hostPort":\\([0-9]*\\),.*/\\1/p'); ${IN(`s/"portMappings":\\[/"portMappings":[${mapping.replace('PORT', "'$((p+1000))'")},/`)}`;
const UDP_TOO = `in=$(printf '%s' "$in" | sed 's/"portMappings":\\[\\({[^]]*"protocol":"\\)tcp"}\\]/"portMappings":[\\1tcp"},\\1udp"}]/'); real`;
const HOST_VETH = `veth=$(printf '%s' "$out" | sed -n 's/.*"name":"\\(veth[0-9a-f]*\\)".*/\\1/p')`;

const MUTANTS: readonly Mutant[] = [
  {
    type: 'bridge',
    does: 'calls the interface eth0 whatever is asked',
    by: 'export CNI_IFNAME=eth0; real',
    caughtBy: ['add.ifname', 'add.two-interfaces'],
  },
  {
    type: 'host-local',
    does: 'keeps by container, not by interface',
    by: IN('s/{"containerID":"\\([^"]*\\)","ifname":"eth0"}/&,{"containerID":"\\1","ifname":"net7"}/g'),
    caughtBy: ['gc.by-interface'],
  },
  {
    type: 'bridge',
    does: 'tells another MAC of the node’s end',
    by: OUT('s/\\("name":"veth[^"]*","mac":"\\)[0-9a-f:]*/\\102:00:00:00:00:01/'),
    caughtBy: ['add.interfaces'],
  },
  {
    type: 'bridge',
    does: 'tells another gateway',
    by: OUT('s/"gateway":"10.22.0.1"/"gateway":"10.22.0.7"/'),
    caughtBy: ['add.gateway'],
  },
  {
    type: 'bridge',
    does: 'does not say whose an address is',
    by: OUT('s/,"interface":[0-9]*//'),
    caughtBy: ['add.ip-interface'],
  },
  {
    type: 'bridge',
    does: 'answers VERSION with a version of its own',
    by: OUT('s/"cniVersion":"[^"]*","supported/"cniVersion":"0.1.0","supported/'),
    caughtBy: ['version.echo'],
  },
  {
    type: 'host-local',
    does: 'tells another gateway',
    by: OUT('s/"gateway":"10.22.0.1"/"gateway":"10.22.0.7"/'),
    caughtBy: ['ipam.result'],
  },
  { type: 'host-local', does: 'tells no routes', by: OUT('s/"routes":/"roads":/'), caughtBy: ['ipam.result'] },
  {
    type: 'portmap',
    does: 'opens a port that nobody asked for',
    by: onAdd(MORE('{"hostPort":PORT,"containerPort":80,"protocol":"tcp"}')),
    caughtBy: ['traffic.tcp'],
  },
  {
    type: 'portmap',
    does: 'opens both protocols for each mapping',
    by: onAdd(UDP_TOO),
    caughtBy: ['traffic.tcp'],
  },
  {
    type: 'portmap',
    does: 'takes only the first of several mappings',
    by: IN('s/"portMappings":\\[\\({[^}]*}\\),[^]]*\\]/"portMappings":[\\1]/'),
    caughtBy: ['traffic.mappings'],
  },
  {
    type: 'portmap',
    does: 'hides who asks',
    by: IN('s/^{/{"masqAll":true,/'),
    caughtBy: ['traffic.tcp'],
  },
  {
    type: 'portmap',
    does: 'opens no IPv6 port',
    by: IN('s/^{/{"conditionsV6":["-s","fd99::\\/64"],/'),
    caughtBy: ['traffic.both-families'],
  },
  {
    type: 'tuning',
    does: 'restores nothing',
    by: 'if [ "$CNI_COMMAND" = DEL ]; then end=0; else real; fi',
    caughtBy: ['del.restores', 'add.effect'],
  },
  {
    type: 'bandwidth',
    does: 'shapes only what goes to the pod',
    by: onAdd(`real; ${HOST_VETH}; tc qdisc del dev "$veth" ingress`),
    caughtBy: ['traffic.from-pod'],
  },
  {
    type: 'bandwidth',
    does: 'lets bursts through that are ten times as long',
    by: IN('s/Burst":\\([0-9]*\\)/Burst":\\10/g'),
    caughtBy: ['add.effect'],
  },
];

for (const mutant of MUTANTS) {
  test(`a ${mutant.type} that ${mutant.does} is caught by ${mutant.caughtBy.join(' and ')}`, { skip }, async (t) => {
    const { dir, env, stop } = await ours(t, mutant);
    await using _ = stop;
    const names = mutant.caughtBy.map((id) => `${mutant.type}/${id}`);
    const grep = new RegExp(`^(${names.join('|')})$`.replaceAll('.', '\\.'));
    const result = await runSuite({ dir, types: [mutant.type], env, grep, seed: 1, jobs: 2 });
    const failed = result.cases.filter(({ status }) => status === 'failed');
    assert.deepEqual(failed.map(({ id }) => id).sort(), names.sort(), asTable(result));
    for (const { expected } of failed) assert.notEqual(expected, 'the case to run to its end', asTable(result));
  });
}

test('unspoilt they pass all that', { skip }, async (t) => {
  const { dir, env, stop } = await ours(t);
  await using _ = stop;
  const names = MUTANTS.flatMap(({ type, caughtBy }) => caughtBy.map((id) => `${type}/${id}`));
  const grep = new RegExp(`^(${names.join('|')})$`.replaceAll('.', '\\.'));
  const types = [...new Set(MUTANTS.map(({ type }) => type))];
  const result = await runSuite({ dir, types, env, grep, seed: 1, jobs: 2 });
  assert.equal(result.passed, new Set(names).size, asTable(result));
});

/** Our plugins, one of them spoilt, and the server behind them. */
async function ours(t: TestContext, mutant?: Mutant) {
  const stateDir = mkdtempSync(join(tmpdir(), 'pt-mutants-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const [dir, sound] = [join(stateDir, 'bin'), join(stateDir, 'sound')];
  for (const folder of [dir, sound]) mkdirSync(folder);
  for (const type of PLUGINS.keys()) {
    symlinkSync(SHIM, join(sound, type));
    if (type !== mutant?.type) symlinkSync(SHIM, join(dir, type));
  }
  if (mutant) spoil(join(dir, mutant.type), join(sound, mutant.type), mutant.by);
  const socketPath = join(stateDir, 'run', 'cni.sock');
  const log = { info() {}, warn() {}, error() {} };
  const stop = await startCniServer({ socketPath, stateDir, nodeNetwork: () => ROUTED, log, coolDownMs: 0 });
  return { dir, env: { POLDER_CNI_SOCKET: socketPath }, stop };
}

function spoil(path: string, real: string, by: string): void {
  const lines = [
    '#!/bin/sh',
    'in=$(cat); end=0; out=',
    `real() { out=$(printf '%s' "$in" | ${real}); end=$?; }`,
    by,
    'printf %s "$out"',
    'exit $end',
  ];
  writeFileSync(path, `${lines.join('\n')}\n`);
  chmodSync(path, 0o755);
}
