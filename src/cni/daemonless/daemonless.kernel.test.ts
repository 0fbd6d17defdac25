import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { lockPathOf, takeNode } from '#cni/daemonless/lock.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { startCniServer } from '#cni/server/server.ts';
import { alone } from '#cni/testing/alone.ts';
import { moveAway, noBed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { tryLockFile } from '#kernel/file-lock.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

const skip = noBed();
const CONF = { cniVersion: '1.1.0', name: 'net', type: 'polder' };
const ENV = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/proc/1/ns/net', CNI_IFNAME: 'eth0' };

/** A worker serves all calls, or each is a process of its own. */
const WAYS = { 'by a worker': undefined, 'by a process each': 0 } as const;

test('the plugin polder says that it needs the agent: 11 to ADD, 50 to STATUS; VERSION is answered', {
  skip,
}, async (t) => {
  const a = alone(t, ['polder']);
  const add = await a.cni('polder', 'ADD', ENV, CONF);
  assert.deepEqual([add.exit, add.json?.code], [1, 11]);
  assert.match(String(add.json?.msg), /agent is not running.*polder needs it/);
  assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).json?.code, 50);
  const version = await a.cni('polder', 'VERSION', {}, '{"cniVersion":"1.0.0"}');
  assert.deepEqual([version.exit, version.json?.cniVersion], [0, '1.0.0']);
});

test('every plugin of the agent is in the bundle, too', { skip }, async (t) => {
  const types = [...PLUGINS.keys()];
  const a = alone(t, types, 0);
  for (const type of types) {
    const { exit, stdout } = await a.cni(type, 'VERSION', {}, '{"cniVersion":"1.0.0"}');
    assert.equal(exit, 0, `${type}: ${stdout}`);
  }
});

test('an executable without a plugin, and without the file of the installation, says so', { skip }, async (t) => {
  const a = alone(t, ['polder', 'nonsense']);
  const answer = await a.cni('nonsense', 'ADD', ENV, CONF);
  assert.deepEqual([answer.exit, answer.json?.code], [1, 4]);
  rmSync(`${a.binDir}/.polder`);
  const without = await a.cni('polder', 'ADD', ENV, CONF);
  assert.deepEqual([without.exit, without.json?.code], [1, 11]);
});

for (const [way, idleMs] of Object.entries(WAYS)) {
  test(`a configuration larger than a pipe arrives whole, ${way}`, { skip }, async (t) => {
    const a = alone(t, ['polder'], idleMs);
    const answer = await a.cni('polder', 'STATUS', {}, { ...CONF, filler: 'x'.repeat(300_000) });
    assert.equal(answer.json?.code, 50, answer.stdout);
    const cut = await a.cni('polder', 'STATUS', {}, `${JSON.stringify({ ...CONF, filler: 'x'.repeat(300_000) })}!`);
    assert.equal(cut.json?.code, 6, cut.stdout);
  });
}

for (const [way, idleMs] of Object.entries(WAYS)) {
  test(`while an agent starts, no plugin works by itself; an agent waits for those that do, ${way}`, {
    skip,
  }, async (t) => {
    moveAway();
    const a = alone(t, ['polder'], idleMs);
    mkdirSync(dirname(a.socketPath), { recursive: true });
    {
      using _ = await takeNode(a.socketPath);
      assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).json?.code, 50);
      const answer = await a.cni('polder', 'ADD', ENV, CONF);
      assert.equal(answer.json?.code, 11);
      assert.match(String(answer.json?.msg), /agent is starting/);
      const older = await a.cni('polder', 'ADD', ENV, { ...CONF, cniVersion: '0.4.0' });
      assert.deepEqual([older.json?.code, older.json?.cniVersion], [11, '0.4.0']);
      assert.equal((await a.cni('polder', 'VERSION', {}, CONF)).exit, 0, 'it touches nothing');
    }
    const plugin = tryLockFile(lockPathOf(a.socketPath), 'shared') ?? assert.fail('the lock was not given back');
    const log = { info() {}, warn() {}, error() {} };
    let started = false;
    const starting = startCniServer({
      socketPath: a.socketPath,
      stateDir: a.dir,
      nodeNetwork: () => ROUTED,
      log,
    }).finally(() => {
      started = true;
    });
    assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).json?.code, 50);
    assert.equal(started, false);
    plugin[Symbol.dispose]();
    await using server = await starting;
    assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).exit, 0);
    await server.close();
    assert.equal((await a.cni('polder', 'STATUS', {}, CONF)).json?.code, 50);
  });
}

test('what the caller’s environment says to Node does not reach a plugin', { skip }, async (t) => {
  const a = alone(t, ['polder'], 0);
  for (const more of [{ NODE_OPTIONS: '--no-such-option' }, { NODE_OPTIONS: '--require /nonexistent.cjs' }]) {
    const answer = await a.cni('polder', 'VERSION', more, '{"cniVersion":"1.0.0"}');
    assert.equal(answer.exit, 0, answer.stdout);
  }
});

test('where the socket’s folder cannot be made a call says so: code 5, in the configuration’s version', {
  skip,
}, async (t) => {
  const a = alone(t, ['polder'], 0);
  writeFileSync(join(a.dir, 'file'), '');
  const env = { ...ENV, POLDER_CNI_SOCKET: join(a.dir, 'file/cni.sock') };
  const answer = await a.cni('polder', 'ADD', env, { ...CONF, cniVersion: '1.0.0' });
  assert.deepEqual([answer.exit, answer.json?.code, answer.json?.cniVersion], [1, 5, '1.0.0'], answer.stdout);
});

const BRIDGE = {
  cniVersion: '1.1.0',
  name: 'alone',
  type: 'bridge',
  bridge: 'br-alone',
  isGateway: true,
  ipMasq: true,
};

for (const [way, idleMs] of Object.entries(WAYS)) {
  test(`bridge, host-local and portmap work without an agent, and leave nothing, ${way}`, { skip }, async (t) => {
    moveAway();
    const a = alone(t, ['bridge', 'host-local', 'portmap'], idleMs);
    const pods = [scratchNetns(), scratchNetns(), scratchNetns()];
    t.after(() => {
      for (const pod of pods) pod.close();
      spawnSync('ip', ['link', 'del', 'br-alone']);
    });
    const ipam = { type: 'host-local', dataDir: `${a.dir}/networks`, ranges: [[{ subnet: '10.90.0.0/24' }]] };
    const conf = { ...BRIDGE, ipam };
    const ports = { cniVersion: '1.1.0', name: 'alone', type: 'portmap', capabilities: { portMappings: true } };
    const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
    const envOf = (i: number) => ({
      CNI_CONTAINERID: `c${i}`,
      CNI_NETNS: pathOf(pods[i] ?? assert.fail()),
      CNI_IFNAME: 'eth0',
    });
    // At once: host-local's lock is between processes.
    const adds = await Promise.all(pods.map((_, i) => a.cni('bridge', 'ADD', envOf(i), conf)));
    for (const { exit, stdout } of adds) assert.equal(exit, 0, stdout);
    const addresses = adds.map(({ json }) => ((json?.ips ?? []) as { address: string }[])[0]?.address);
    assert.equal(new Set(addresses).size, pods.length);
    assert.match(addresses[0] ?? '', /^10\.90\.0\.\d+\/24$/);

    const prevResult = adds[0]?.json;
    const mapped = await a.cni('portmap', 'ADD', envOf(0), { ...ports, runtimeConfig, prevResult });
    assert.equal(mapped.exit, 0, mapped.stdout);
    assert.match(rules(), /8080/);
    assert.equal((await a.cni('bridge', 'CHECK', envOf(0), { ...conf, prevResult })).exit, 0);
    assert.equal((await a.cni('portmap', 'DEL', envOf(0), { ...ports, runtimeConfig, prevResult })).exit, 0);
    assert.doesNotMatch(rules(), /8080/);
    const dels = await Promise.all(pods.map((_, i) => a.cni('bridge', 'DEL', envOf(i), conf)));
    for (const { exit, stdout } of dels) assert.equal(exit, 0, stdout);
    assert.deepEqual(
      readdirSync(`${a.dir}/networks/alone`).filter((name) => name.startsWith('10.')),
      [],
    );
  });
}

for (const [way, idleMs] of Object.entries(WAYS)) {
  test(`what one way has made the other takes down: host-local’s files and the node’s rules are the same, ${way}`, {
    skip,
  }, async (t) => {
    moveAway();
    const a = alone(t, ['bridge'], idleMs);
    const pod = scratchNetns();
    t.after(() => pod.close());
    mkdirSync(dirname(a.socketPath), { recursive: true });
    const log = { info() {}, warn() {}, error() {} };
    const options = { socketPath: a.socketPath, stateDir: a.dir, nodeNetwork: () => ROUTED, log };
    const ipam = { type: 'host-local', subnet: '10.90.0.0/24', dataDir: `${a.dir}/networks` };
    const conf = { ...BRIDGE, ipam };
    const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
    const verb = async (command: string, more: object = {}) => {
      const { exit, stdout, json } = await a.cni('bridge', command, env, { ...conf, ...more });
      assert.equal(exit, 0, stdout);
      return json;
    };
    const prevResult = await verb('ADD');
    const server = await startCniServer(options);
    await verb('CHECK', { prevResult });
    await verb('DEL');
    const again = await verb('ADD');
    await server.close();
    await verb('CHECK', { prevResult: again });
    await verb('DEL');
    assert.deepEqual(
      readdirSync(`${a.dir}/networks/alone`).filter((name) => name.startsWith('10.')),
      [],
    );
    spawnSync('ip', ['link', 'del', 'br-alone']);
  });
}

function rules(): string {
  return spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }).stdout;
}
