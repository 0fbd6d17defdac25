/** Random and mutated configurations of the plugins that call whole other plugins: each is served or refused, and nothing stays. */

import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { KeyedLock } from '#cni/keyed-lock.ts';
import type { PluginHost } from '#cni/plugin.ts';
import { PLUGINS } from '#cni/plugins/table.ts';
import { NODE_CIDRS } from '#cni/pools/book.ts';
import { Callers } from '#cni/server/caller.ts';
import { dispatch } from '#cni/server/dispatch.ts';
import { bed, noBed, pathOf, ROUTED } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

/** `PT_RUNS=10000` for a thorough run, `PT_SEED` to repeat one. */
const RUNS = Number(process.env.PT_RUNS ?? 500);
const SEED = process.env.PT_SEED === undefined ? {} : { seed: Number(process.env.PT_SEED) };

const ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    '',
    'eth0',
    'net1',
    'br7',
    '10.1.0.0/24',
    'blue',
    'a/b@net1',
    '[{"name":"blue"}]',
    -1,
    0,
    1400,
    true,
    null,
  ),
);
const mutation = (...keys: readonly string[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: fc.dictionary(fc.constantFrom(...keys), odd, { maxKeys: 2, noNullPrototype: true }) },
  );

const ipam = mutation('type', 'subnet', 'ranges', 'routes', 'rangeStart', 'gateway');
const bridge = fc.record({
  keys: mutation('type', 'bridge', 'mtu', 'isGateway', 'hairpinMode', 'vlan', 'ipam', 'name', 'cniVersion', 'plugins'),
  ipam,
});

const flannelCall = fc.record({
  type: fc.constant('flannel'),
  own: mutation('delegate', 'ipam', 'runtimeConfig', 'args', 'name', 'cniVersion', 'subnetFile'),
  delegates: fc.array(bridge, { minLength: 1, maxLength: 1 }),
  ipam,
  env: fc.array(
    fc.constantFrom('SUBNET=10.9.1.1/24', 'SUBNET=x', 'MTU=1400', 'MTU=-1', 'IPMASQ=true', 'NETWORK=10.9.0.0/16'),
    {
      maxLength: 6,
    },
  ),
});
const multiCall = fc.record({
  type: fc.constant('polder-multi'),
  own: mutation(
    'delegates',
    'kubeconfig',
    'multusNamespace',
    'prevResult',
    'runtimeConfig',
    'name',
    'cniVersion',
    'args',
  ),
  delegates: fc.array(bridge, { minLength: 1, maxLength: 3 }),
  ipam,
  env: fc.constant([]),
});
const command = fc.constantFrom('ADD', 'ADD', 'ADD', 'ADD', 'CHECK', 'STATUS', 'GC');

type Call = Readonly<{
  type: string;
  own: object;
  delegates: readonly Readonly<{ keys: object; ipam: object }>[];
  ipam: object;
  env: readonly string[];
}>;

/** Good, but for what was drawn; its folders are always the test's. */
function confOf(dir: string, { type, own, delegates, ipam: base, env }: Call): object {
  const given = { ...base, dataDir: join(dir, 'ipam') };
  const [first] = delegates;
  const common = { cniVersion: '1.1.0', name: 'net', type };
  if (type === 'flannel') {
    const usual = [
      'FLANNEL_NETWORK=10.9.0.0/16',
      'FLANNEL_SUBNET=10.9.1.1/24',
      'FLANNEL_MTU=1450',
      'FLANNEL_IPMASQ=true',
    ];
    writeFileSync(join(dir, 'subnet.env'), [...usual, ...env.map((line) => `FLANNEL_${line}`)].join('\n'));
    const delegate = { bridge: 'br7', ...first?.keys };
    return {
      ...common,
      subnetFile: join(dir, 'subnet.env'),
      delegate,
      ipam: given,
      ...own,
      dataDir: join(dir, 'cache'),
    };
  }
  const networks = delegates.map(({ keys, ipam: ranges }, i) => ({
    ...{ cniVersion: '1.0.0', name: `n${i}`, type: 'bridge', bridge: `br${i}` },
    ipam: { type: 'host-local', subnet: `10.${i}.0.0/24`, ...ranges, dataDir: join(dir, 'ipam') },
    ...keys,
  }));
  const runtimeConfig = { [ANNOTATIONS]: {} };
  const folders = { cniDir: join(dir, 'cache'), confDir: join(dir, 'none') };
  return { ...common, runtimeConfig, delegates: networks, ...own, ...folders };
}

test('flannel and polder-multi: any configuration is served or refused with a code, and after DEL nothing is left', {
  skip: noBed(),
}, async (t) => {
  const b = await bed(t, ROUTED);
  using callers = new Callers();
  using pod = scratchNetns();
  using inside = openNetlink(pod.fd);
  using outside = openNetlink();
  const crashes: object[] = [];
  const host: PluginHost = {
    plugin: async (type) => PLUGINS.get(type),
    nodeNetwork: () => undefined,
    addresses: NODE_CIDRS,
    log: { info() {}, warn() {}, error: (fields: object) => void crashes.push(fields) },
    get store(): never {
      return assert.fail('these plugins have no journal');
    },
  };
  const locks = new KeyedLock();
  const ask = (type: string, verb: string, conf: object) => {
    const env = { CNI_COMMAND: verb, CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
    const withCaller = <T>(_: unknown, use: (caller: ReturnType<Callers['own']>) => Promise<T>) => use(callers.own());
    const shim = { argv0: type, env, stdin: JSON.stringify(conf) };
    return dispatch(shim, { locks, host, withCaller, abandoned: () => false });
  };
  let attached = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(flannelCall, multiCall), command, async (call, verb) => {
      const conf = confOf(b.dir, call);
      const { exit, stdout } = await ask(call.type, verb, conf);
      if (exit === 1) assert.ok(Number(JSON.parse(stdout).code) > 0 && JSON.parse(stdout).code !== 999, stdout);
      if (inside.links().length > 1) attached++;
      if (verb !== 'ADD' || exit === 1)
        assert.deepEqual(
          inside.links().map(({ name }) => name),
          ['lo'],
          stdout,
        );
      await ask(call.type, 'DEL', conf);
      assert.deepEqual(
        inside.links().map(({ name }) => name),
        ['lo'],
      );
      const veths = outside.links().filter(({ info }) => info.kind === 'veth');
      assert.deepEqual(veths, []);
      assert.deepEqual(crashes, []);
    }),
    { numRuns: RUNS, ...SEED },
  );
  assert.doesNotMatch(sh('nft list ruleset'), /comment/);
  const files = readdirSync(b.dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  const left = files
    .map(({ name }) => name)
    .filter((name) => !/^(lock|cni\.sock.*|last_reserved_ip.*|subnet\.env|.*journal.*)$/.test(name));
  assert.deepEqual(left, []);
  assert.ok(attached > RUNS / 20, `${attached} of ${RUNS} attached something`);
});
