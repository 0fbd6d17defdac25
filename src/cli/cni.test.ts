import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { cniCommand } from '#cli/cni.ts';
import { memoryTerminal } from '#cli/testing/memory-terminal.ts';
import { ResultCache } from '#cni/runtime/cache.ts';
import { PolderError } from '#spec/errors.ts';

const RESULT = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'cali1' }, { name: 'eth0', mac: '0a:58:0a:f4:01:02', sandbox: '/run/netns/a' }],
  ips: [{ address: '10.244.1.2/32', gateway: '169.254.1.1', interface: 1 }],
};

/** Folders with a network `net` of one plugin that prints the result. */
function folders(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'pt-cli-cni-'));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const sub of ['net.d', 'bin']) mkdirSync(join(dir, sub));
  const conf = { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'one', capabilities: { ips: true } }] };
  writeFileSync(join(dir, 'net.d/10.conflist'), JSON.stringify(conf));
  const script = `#!/bin/sh\ncat >${dir}/stdin\nenv >${dir}/env\n[ $CNI_COMMAND = ADD ] && echo '${JSON.stringify(RESULT)}'\nexit 0\n`;
  writeFileSync(join(dir, 'bin/one'), script);
  chmodSync(join(dir, 'bin/one'), 0o755);
  const flags = [
    '--conf-dir',
    join(dir, 'net.d'),
    '--bin-dir',
    `/none:${join(dir, 'bin')}`,
    '--cache-dir',
    join(dir, 'cache'),
  ];
  return { dir, flags };
}

async function run(args: readonly string[], over = {}): Promise<string> {
  const io = memoryTerminal({ env: { PATH: '/usr/bin:/bin' }, ...over });
  await cniCommand(io)
    .exitOverride()
    .parseAsync([...args], { from: 'user' });
  return io.said.out;
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

test('cni add prints what was attached, as text and as JSON, and check and del follow', async (t) => {
  const { flags } = folders(t);
  const text = await run(['add', 'net', 'c1', 'a', ...flags]);
  assert.equal(
    text,
    'cali1 on the host\neth0 in /run/netns/a, MAC 0a:58:0a:f4:01:02\n  10.244.1.2/32 via 169.254.1.1\n',
  );
  assert.equal(await run(['check', 'net', 'c1', 'a', ...flags]), 'c1 is as ADD left it\n');
  assert.equal(await run(['del', 'net', 'c1', ...flags]), '');
  const json: unknown = JSON.parse(await run(['add', 'net', 'c1', 'a', ...flags, '-o', 'json']));
  assert.deepEqual((json as typeof RESULT).ips, RESULT.ips);
  await run(['gc', 'net', ...flags]);
  assert.equal((await failure(run(['check', 'net', 'c1', 'a', ...flags]))).code, 'cni-container-unknown');
});

test('cni add takes a namespace by path, name or process, arguments and capabilities', async (t) => {
  const { dir, flags } = folders(t);
  const seen = async (id: string, netns: string, ...more: string[]) => {
    await run(['add', 'net', id, netns, ...flags, ...more]);
    return { env: readFileSync(join(dir, 'env'), 'utf8'), stdin: readFileSync(join(dir, 'stdin'), 'utf8') };
  };
  assert.match((await seen('c1', '/x/y')).env, /^CNI_NETNS=\/x\/y$/m);
  assert.match((await seen('c2', 'blue')).env, /^CNI_NETNS=\/run\/netns\/blue$/m);
  const third = await seen(
    'c3',
    '77',
    '--args',
    'IP=10.0.0.9',
    '--capability-args',
    '{"ips":["10.0.0.9"]}',
    '--ifname',
    'net1',
  );
  assert.match(third.env, /^CNI_NETNS=\/proc\/77\/ns\/net$/m);
  assert.match(third.env, /^CNI_ARGS=IP=10\.0\.0\.9$/m);
  assert.match(third.env, /^CNI_IFNAME=net1$/m);
  assert.deepEqual(JSON.parse(third.stdin).runtimeConfig, { ips: ['10.0.0.9'] });
});

test('cni status names the network, and bad input is an error of the registry', async (t) => {
  const { flags } = folders(t);
  assert.equal(await run(['status', ...flags]), 'network net (CNI 1.0.0, one) can take pods\n');
  assert.equal((await failure(run(['status', 'nope', ...flags]))).code, 'cni-network-missing');
  assert.equal((await failure(run(['add', 'net', '.x', 'a', ...flags]))).code, 'cni-environment');
  assert.equal((await failure(run(['gc', 'net', '--keep', 'a/b/c', ...flags]))).code, 'usage');
  assert.equal((await failure(run(['add', 'net', 'c', 'a', ...flags, '--capability-args', '{']))).code, 'cni-decode');
  assert.equal((await failure(run(['status', ...flags], { root: false }))).code, 'not-root');
  assert.equal((await failure(run(['status', '--node', 'pt-none', '--name', 'pt-none']))).code, 'cni-netns');
});

test('cni install links every plugin to one shim, and leaves or replaces what others made', async (t) => {
  const { dir } = folders(t);
  const bin = join(dir, 'opt');
  mkdirSync(bin);
  writeFileSync(join(bin, 'bridge'), 'of others');
  const first = JSON.parse(await run(['install', '--bin', bin, '-o', 'json']));
  assert.deepEqual(first.kept, ['bridge']);
  assert.equal(readlinkSync(join(bin, 'host-local')), 'polder');
  assert.equal(readFileSync(join(bin, 'bridge'), 'utf8'), 'of others');
  assert.match(await run(['install', '--bin', bin, '--replace']), /installed in .*: polder .*bridge/);
  assert.equal(readlinkSync(join(bin, 'bridge')), 'polder');
  const again = JSON.parse(await run(['install', '--bin', bin, '-o', 'json']));
  assert.deepEqual(again.kept, []);
});

test('cni uninstall takes away what install put there and nothing of others, and not while containers are attached', async (t) => {
  const { dir } = folders(t);
  const [bin, cache] = [join(dir, 'opt'), join(dir, 'noted')];
  mkdirSync(bin);
  for (const [name, text] of [
    ['bridge', 'of others'],
    ['calico', 'of others'],
  ] as const)
    writeFileSync(join(bin, name), text);
  await run(['install', '--bin', bin]);
  const gone = ['uninstall', '--bin', bin, '--cache-dir', cache];
  const noted = { network: 'net', containerId: 'c1', ifname: 'eth0', netns: '', args: [], capabilityArgs: {} };
  const results = new ResultCache(cache);
  await results.put({ ...noted, config: '', result: {} });
  const refused = await failure(run(gone));
  assert.equal(refused.code, 'cni-in-use');
  assert.match(refused.message, /1 attachments are noted in .*, c1\/eth0 of net among them/);
  assert.ok(existsSync(join(bin, 'host-local')));
  await results.remove(noted);
  const { removed } = JSON.parse(await run([...gone, '-o', 'json']));
  assert.ok(removed.includes('polder') && removed.includes('host-local') && !removed.includes('bridge'));
  assert.deepEqual(readdirSync(bin).sort(), ['bridge', 'calico']);
  assert.match(await run([...gone, '--force']), /nothing of Polder is in/);
  await results.put({ ...noted, config: '', result: {} });
  await run(['install', '--bin', bin]);
  assert.match(await run([...gone, '--force']), /removed from .*: .*host-local/);
});
