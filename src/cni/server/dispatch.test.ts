import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KeyedLock } from '#cni/keyed-lock.ts';
import type { CallerNetns, Plugin, PluginHost } from '#cni/plugin.ts';
import { NODE_CIDRS } from '#cni/pools/book.ts';
import { type Dispatcher, dispatch } from '#cni/server/dispatch.ts';
import { PolderError } from '#spec/errors.ts';
import { EMPTY_RESULT } from '#wire/cni/result.ts';

const quiet = { info() {}, warn() {}, error() {} };

/** A plugin that notes its calls. */
function noting(calls: string[], more: Partial<Plugin> = {}): Plugin {
  const note = (verb: string) => async () => void calls.push(verb);
  return {
    type: 'x',
    add: async () => {
      calls.push('add');
      return EMPTY_RESULT;
    },
    del: note('del'),
    check: note('check'),
    status: note('status'),
    gc: note('gc'),
    ...more,
  };
}

const unseen = (): never => assert.fail('the plugins of these tests do not look at it');

const host: Omit<PluginHost, 'plugin'> = {
  log: quiet,
  nodeNetwork: () => undefined,
  addresses: NODE_CIDRS,
  get store() {
    return unseen();
  },
};

const caller: CallerNetns = {
  get netlink() {
    return unseen();
  },
  get remover() {
    return unseen();
  },
  fd: -1,
  get nft() {
    return unseen();
  },
  openPod: unseen,
  seen: unseen,
  within: unseen,
  readSysctl: unseen,
  writeSysctl: unseen,
};

function dispatcher(plugin: Plugin, abandoned = false): Dispatcher {
  return {
    locks: new KeyedLock(),
    host: {
      plugin: async (type) => (type === 'x' ? plugin : undefined),
      log: host.log,
      nodeNetwork: host.nodeNetwork,
      addresses: NODE_CIDRS,
      get store() {
        return unseen();
      },
    },
    withCaller: (_, use) => use(caller),
    abandoned: () => abandoned,
  };
}

const ENV = { CNI_CONTAINERID: 'c', CNI_NETNS: '/n', CNI_IFNAME: 'eth0' };
const CONF = JSON.stringify({ cniVersion: '1.1.0', name: 'n', type: 'x', 'cni.dev/valid-attachments': [] });
const call = (command: string, stdin = CONF) => ({ argv0: '/bin/x', env: { CNI_COMMAND: command, ...ENV }, stdin });

test('dispatch leads each command to its verb, and only ADD and VERSION print something', async () => {
  const calls: string[] = [];
  const d = dispatcher(noting(calls));
  for (const command of ['ADD', 'CHECK', 'DEL', 'STATUS', 'GC', 'VERSION']) {
    const answer = await dispatch(call(command), d);
    assert.equal(answer.exit, 0);
    assert.equal(answer.stdout !== '', command === 'ADD' || command === 'VERSION');
  }
  assert.deepEqual(calls, ['add', 'check', 'del', 'status', 'gc']);
});

test('dispatch refuses verbs that the configuration’s version of the specification does not have', async () => {
  const calls: string[] = [];
  const d = dispatcher(noting(calls));
  const code = async (command: string, cniVersion: string) => {
    const conf = { cniVersion, name: 'n', type: 'x', 'cni.dev/valid-attachments': [] };
    const { exit, stdout } = await dispatch(call(command, JSON.stringify(conf)), d);
    return exit === 0 ? 'ok' : JSON.parse(stdout).code;
  };
  for (const command of ['STATUS', 'GC']) {
    assert.equal(await code(command, '1.0.0'), 1, command);
    assert.equal(await code(command, '1.1.0'), 'ok', command);
  }
  assert.equal(await code('CHECK', '0.3.1'), 1);
  assert.equal(await code('CHECK', '0.4.0'), 'ok');
  assert.deepEqual(calls, ['status', 'gc', 'check']);
});

test('dispatch undoes an ADD that nobody waits for any more', async () => {
  const calls: string[] = [];
  const answer = await dispatch(call('ADD'), dispatcher(noting(calls), true));
  assert.deepEqual([answer.exit, calls], [1, ['add', 'del']]);
});

test('dispatch answers with the code of the registry, and with 999 for a bug of ours', async () => {
  const failing = (error: Error) => dispatcher(noting([], { del: () => Promise.reject(error) }));
  const code = async (error: Error) => JSON.parse((await dispatch(call('DEL'), failing(error))).stdout).code;
  assert.equal(await code(new PolderError('cni-try-later', { what: 'busy' })), 11);
  assert.equal(await code(new TypeError('oops')), 999);
  assert.equal(JSON.parse((await dispatch({ ...call('ADD'), argv0: 'y' }, dispatcher(noting([])))).stdout).code, 4);
});

test('dispatch never throws, and what fails prints the specification’s error, whatever comes', async () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'eth0', 'c1', '/n', CONF),
  );
  const env = fc.dictionary(
    fc.constantFrom('CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS'),
    word,
  );
  const d = dispatcher(noting([]));
  await fc.assert(
    fc.asyncProperty(env, fc.oneof(word, fc.json()), fc.constantFrom('x', 'y', ''), async (vars, stdin, argv0) => {
      const answer = await dispatch({ argv0, env: vars, stdin }, d);
      if (answer.exit === 0) return;
      const said = JSON.parse(answer.stdout);
      assert.ok(Number.isInteger(said.code) && said.code !== 999, answer.stdout);
      assert.ok(typeof said.msg === 'string' && typeof said.cniVersion === 'string');
    }),
    { numRuns: 500 },
  );
});

test('KeyedLock runs calls with one key one after another, and others at once', async () => {
  const lock = new KeyedLock();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lock.run('a', async () => {
    await gate.promise;
    order.push('first');
    throw new Error('it may fail');
  });
  const second = lock.run('a', async () => void order.push('second'));
  await lock.run('b', async () => void order.push('other'));
  gate.resolve();
  await assert.rejects(first, /it may fail/);
  await second;
  assert.deepEqual(order, ['other', 'first', 'second']);
});
