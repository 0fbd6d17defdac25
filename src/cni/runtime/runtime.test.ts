import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { parseConflist } from '#cni/runtime/conflist.ts';
import { CniRuntime } from '#cni/runtime/runtime.ts';
import { PolderError } from '#spec/errors.ts';

interface Bed {
  readonly dir: string;
  readonly runtime: CniRuntime;
  /** Calls that the plugins saw: `type COMMAND container ifname`, and what they got. */
  calls(): { line: string; stdin: Record<string, unknown>; env: Record<string, string> }[];
  plugin(type: string, script: string): void;
  conf(file: string, value: unknown): void;
}

/** A plugin that notes its call and then runs the script, whose standard output is the answer. */
const PLUGIN = (log: string, script: string) => `#!/bin/sh
stdin=$(cat)
n=$(ls ${log} | wc -l)
entry=${log}/$(printf %03d $n)
printf '%s' "$stdin" > $entry
env > $entry.env
name=\${0##*/}
${script}
`;

function bed(t: TestContext, timeoutMs = 10_000): Bed {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cni-runtime-'));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const sub of ['net.d', 'bin', 'log']) mkdirSync(join(dir, sub));
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' };
  const options = {
    confDir: join(dir, 'net.d'),
    binDirs: [join(dir, 'none'), join(dir, 'bin')],
    cacheDir: join(dir, 'cache'),
  };
  const log = join(dir, 'log');
  return {
    dir,
    runtime: new CniRuntime({ ...options, env, timeoutMs }),
    plugin(type, script) {
      writeFileSync(join(dir, 'bin', type), PLUGIN(log, script));
      chmodSync(join(dir, 'bin', type), 0o755);
    },
    conf: (file, value) =>
      writeFileSync(join(dir, 'net.d', file), typeof value === 'string' ? value : JSON.stringify(value)),
    calls: () =>
      readdirSync(log)
        .filter((name) => name.endsWith('.env'))
        .sort()
        .map((name) => readCall(join(log, name))),
  };
}

function readCall(path: string) {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const env = Object.fromEntries(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const stdin: Record<string, unknown> = JSON.parse(readFileSync(path.replace(/\.env$/, ''), 'utf8'));
  return { env, stdin, line: `${stdin.type} ${env.CNI_COMMAND}` };
}

const RESULT = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'eth0', sandbox: '/run/netns/a' }],
  ips: [{ address: '10.1.0.5/24', interface: 0 }],
  future: 'kept',
};
const answer = (value: unknown) => `echo '${JSON.stringify(value)}'`;
const LIST = {
  cniVersion: '1.0.0',
  name: 'net',
  plugins: [
    { type: 'one', x: 1 },
    { type: 'two', capabilities: { portMappings: true, dns: false } },
  ],
};
const CALL = { containerId: 'abc', netns: '/run/netns/a', ifname: 'eth0' };

function both(b: Bed, list: unknown = LIST) {
  b.conf('10-net.conflist', list);
  b.plugin('one', answer(RESULT));
  b.plugin('two', answer({ ...RESULT, dns: { nameservers: ['10.1.0.1'] } }));
}

async function failure(promise: Promise<unknown>): Promise<PolderError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PolderError) return error;
    throw error;
  }
  return assert.fail('it did not fail');
}

test('add runs the chain in order, with prevResult, capabilities and the CNI environment', async (t) => {
  const b = bed(t);
  both(b);
  const result = await b.runtime.add({
    ...CALL,
    args: { K8S_POD_NAME: 'web', IgnoreUnknown: '1' },
    capabilityArgs: { portMappings: [{ hostPort: 80 }], dns: { servers: [] } },
  });
  assert.deepEqual(result.ips, [{ address: '10.1.0.5/24', interface: 0 }]);
  assert.deepEqual(result.dns, { nameservers: ['10.1.0.1'] });
  const [one, two] = b.calls();
  assert.deepEqual(
    b.calls().map((c) => c.line),
    ['one ADD', 'two ADD'],
  );
  assert.deepEqual(one?.stdin, { type: 'one', x: 1, name: 'net', cniVersion: '1.0.0' });
  assert.deepEqual(two?.stdin.prevResult, RESULT);
  assert.deepEqual(two?.stdin.runtimeConfig, { portMappings: [{ hostPort: 80 }] });
  assert.equal(one?.env.CNI_ARGS, 'K8S_POD_NAME=web;IgnoreUnknown=1');
  assert.equal(one?.env.CNI_PATH, `${join(b.dir, 'none')}:${join(b.dir, 'bin')}`);
  assert.equal(one?.env.CNI_NETNS, CALL.netns);
  assert.equal(one?.env.HOME, undefined);
});

test('add writes libcni’s cache, del reads it, runs backwards and removes it', async (t) => {
  const b = bed(t);
  both(b);
  await b.runtime.add({ ...CALL, args: { A: '1' } });
  const file = join(b.dir, 'cache/results/net-abc-eth0');
  const cached = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(cached.kind, 'cniCacheV1');
  assert.deepEqual(cached.cniArgs, [['A', '1']]);
  assert.deepEqual(JSON.parse(Buffer.from(cached.config, 'base64').toString()), LIST);
  assert.equal(cached.result.future, 'kept');
  // The configuration may change while the container runs: DEL is for what ADD ran.
  b.conf('10-net.conflist', { ...LIST, plugins: [{ type: 'other' }] });
  await b.runtime.del({ ...CALL, netns: '' });
  const dels = b.calls().slice(2);
  assert.deepEqual(
    dels.map((c) => c.line),
    ['two DEL', 'one DEL'],
  );
  assert.deepEqual(dels[0]?.stdin.prevResult, cached.result);
  assert.equal(dels[0]?.env.CNI_ARGS, 'A=1');
  assert.ok(!existsSync(file));
});

test('a second add of an attachment is refused without touching the first', async (t) => {
  const b = bed(t);
  both(b);
  await b.runtime.add(CALL);
  assert.equal((await failure(b.runtime.add(CALL))).code, 'cni-attached');
  assert.deepEqual(
    b.calls().map((c) => c.line),
    ['one ADD', 'two ADD'],
  );
});

test('del without a cached result runs the present chain', async (t) => {
  const b = bed(t);
  both(b);
  await b.runtime.del(CALL);
  assert.deepEqual(
    b.calls().map((c) => c.line),
    ['two DEL', 'one DEL'],
  );
  assert.equal(b.calls()[0]?.stdin.prevResult, undefined);
});

test('a failed add runs DEL of the whole chain and says the plugin’s words, code and stderr', async (t) => {
  const b = bed(t);
  both(b);
  b.plugin(
    'one',
    `[ $CNI_COMMAND = DEL ] && exit 0; echo >&2 'ouch'; ${answer({ code: 11, msg: 'busy', details: 'wait' })}; exit 1`,
  );
  const error = await failure(b.runtime.add(CALL));
  assert.equal(error.message, 'CNI plugin one failed at ADD: busy; wait; stderr: ouch');
  assert.equal(error.details.cniCode, 11);
  assert.deepEqual(
    b.calls().map((c) => c.line),
    ['one ADD', 'two DEL', 'one DEL'],
  );
  assert.deepEqual(await b.runtime.attachments(), []);
});

test('a plugin that prints nonsense, nothing, too little or hangs is a clear error', async (t) => {
  const b = bed(t, 500);
  both(b);
  const failing = async (script: string) => {
    b.plugin('one', `[ $CNI_COMMAND = DEL ] && exit 0; ${script}`);
    return (await failure(b.runtime.add(CALL))).message;
  };
  assert.match(await failing('exit 3'), /one failed at ADD: it ended with status 3/);
  assert.match(await failing('kill -9 $$'), /ended by SIGKILL/);
  assert.match(await failing('echo nonsense'), /Cannot read the answer of one as JSON/);
  assert.match(await failing('exec sleep 60'), /no answer within 0.5 s/);
});

test('a missing plugin is an error that names it and where it was sought', async (t) => {
  const b = bed(t);
  both(b);
  rmSync(join(b.dir, 'bin/two'));
  assert.match((await failure(b.runtime.add(CALL))).message, /no CNI plugin two in .*none, .*bin/);
});

test('check needs an ADD, and gives its result to each plugin', async (t) => {
  const b = bed(t);
  both(b);
  assert.equal((await failure(b.runtime.check(CALL))).code, 'cni-container-unknown');
  await b.runtime.add(CALL);
  await b.runtime.check(CALL);
  assert.deepEqual(
    b
      .calls()
      .slice(2)
      .map((c) => c.line),
    ['one CHECK', 'two CHECK'],
  );
  assert.deepEqual(b.calls()[2]?.stdin.prevResult, b.calls()[3]?.stdin.prevResult);
});

test('gc deletes what is not valid and tells the plugins from 1.1.0 on', async (t) => {
  const b = bed(t);
  both(b, { ...LIST, cniVersions: ['1.1.0', '7.0.0'] });
  await b.runtime.add(CALL);
  await b.runtime.add({ ...CALL, containerId: 'def' });
  await b.runtime.gc([{ containerID: 'def', ifname: 'eth0' }]);
  const after = b.calls().slice(4);
  assert.deepEqual(
    after.map((c) => c.line),
    ['two DEL', 'one DEL', 'one GC', 'two GC'],
  );
  assert.equal(after[0]?.env.CNI_CONTAINERID, 'abc');
  assert.deepEqual(after[2]?.stdin['cni.dev/valid-attachments'], [{ containerID: 'def', ifname: 'eth0' }]);
  assert.equal(after[2]?.env.CNI_CONTAINERID, undefined);
  assert.deepEqual(
    (await b.runtime.attachments()).map((a) => a.containerId),
    ['def'],
  );
});

test('status asks the plugins from 1.1.0 on, and before only looks whether they are there', async (t) => {
  const b = bed(t);
  both(b);
  assert.equal((await b.runtime.status()).name, 'net');
  assert.deepEqual(b.calls(), []);
  b.conf('10-net.conflist', { ...LIST, cniVersion: '1.1.0' });
  b.plugin('two', `${answer({ code: 50, msg: 'not yet' })}; exit 1`);
  assert.match((await failure(b.runtime.status())).message, /two failed at STATUS: not yet/);
});

test('the first valid file of the directory is the network; broken ones are named when there is none', async (t) => {
  const b = bed(t);
  assert.match((await failure(b.runtime.network())).message, /no usable CNI network in/);
  b.conf('00-broken.conflist', '{');
  assert.match((await failure(b.runtime.network())).message, /00-broken\.conflist: Cannot read it as JSON/);
  b.conf('05-no.conflist', { cniVersion: '1.0.0', name: 'x', plugins: [{ type: '../x' }] });
  assert.match((await failure(b.runtime.network())).message, /plugins\[0\]\.type must be a file name/);
  b.conf('20-b.conf', { cniVersion: '0.4.0', name: 'single', type: 'one' });
  b.conf('10-a.conflist', LIST);
  b.conf('01-readme.txt', 'no');
  assert.equal((await b.runtime.network()).name, 'net');
  assert.equal((await b.runtime.network('single')).plugins[0]?.type, 'one');
  assert.equal((await b.runtime.network(join(b.dir, 'net.d/20-b.conf'))).name, 'single');
  assert.match((await failure(b.runtime.network('nope'))).message, /network nope in/);
});

test('parseConflist throws nothing but PolderError, whatever the text', () => {
  const keys = fc.constantFrom('cniVersion', 'cniVersions', 'name', 'type', 'plugins', 'disableCheck', 'capabilities');
  const near = fc
    .dictionary(keys, fc.oneof(fc.jsonValue(), fc.constantFrom('1.0.0', 'net')))
    .map((v) => JSON.stringify(v));
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      try {
        parseConflist(text, 'f');
      } catch (error) {
        assert.ok(error instanceof PolderError && error.code === 'file-invalid', String(error));
      }
    }),
  );
});

test('calls for one container wait for one another', async (t) => {
  const b = bed(t);
  b.conf('10-net.conflist', { ...LIST, plugins: [{ type: 'one' }] });
  b.plugin('one', `[ $CNI_COMMAND = ADD ] && sleep 0.05; ${answer(RESULT)}`);
  await Promise.all([b.runtime.add(CALL), b.runtime.del(CALL)]);
  assert.deepEqual(await b.runtime.attachments(), []);
});
