/** Random and mutated configurations: no call crashes the server, each answer is the specification's, nothing is left. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { LeaseFolder } from '#cni/dhcp/folder.ts';
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
const RUNS = Number(process.env.PT_RUNS ?? 1000);
const SEED = process.env.PT_SEED === undefined ? {} : { seed: Number(process.env.PT_SEED) };

const TYPES = [
  'bridge',
  'ptp',
  'macvlan',
  'ipvlan',
  'vlan',
  'dummy',
  'tap',
  'host-device',
  'loopback',
  'host-local',
  'static',
  'dhcp',
];
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    '',
    'eth0',
    'br7',
    '10.1.0.0/24',
    'fd00::/64',
    '0.0.0.0/0',
    '02:00:00:00:00:01',
    -1,
    0,
    1,
    4095,
    2 ** 32,
    true,
    null,
  ),
);
const KEYS = [
  'bridge',
  'isGateway',
  'isDefaultGateway',
  'ipMasq',
  'hairpinMode',
  'promiscMode',
  'mtu',
  'vlan',
  'vlanTrunk',
  'macspoofchk',
  'master',
  'mode',
  'vlanId',
  'device',
  'hwaddr',
  'owner',
  'args',
  'runtimeConfig',
  'dns',
  'prevResult',
  'ipam',
  'name',
  'cniVersion',
  'linkInContainer',
  'disableContainerInterface',
];
const IPAM_KEYS = [
  'type',
  'subnet',
  'rangeStart',
  'rangeEnd',
  'gateway',
  'ranges',
  'routes',
  'addresses',
  'resolvConf',
  'dns',
  'provide',
  'request',
  'priority',
  'timeout',
];

/** Often none, so that what is behind the first key that is wrong is reached, too. */
const mutations = (keys: readonly string[]) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 3, arbitrary: fc.dictionary(fc.constantFrom(...keys), odd, { maxKeys: 2, noNullPrototype: true }) },
  );

const call = fc.record({
  type: fc.constantFrom(...TYPES),
  ipamType: fc.constantFrom('host-local', 'host-local', 'host-local', 'static', 'dhcp', 'bridge', 'none', ''),
  conf: mutations(KEYS),
  ipam: mutations(IPAM_KEYS),
  // Mostly what can leave something.
  command: fc.constantFrom('ADD', 'ADD', 'ADD', 'ADD', 'ADD', 'ADD', 'CHECK', 'STATUS', 'GC'),
  args: fc.constantFrom(
    '',
    '',
    '',
    '',
    'IP=10.9.0.7',
    'IP=x',
    'MAC=02:00:00:00:00:09',
    'IP=10.9.0.7/24;GATEWAY=10.9.0.1',
    'x',
  ),
});

test('random and mutated configurations neither crash the server nor leave an object', { skip: noBed() }, async (t) => {
  const b = await bed(t, ROUTED);
  using callers = new Callers();
  using pod = scratchNetns();
  using inside = openNetlink(pod.fd);
  using outside = openNetlink();
  const pairs = [
    ['lo0up', 'lo0far'],
    ['lo1up', 'lo1far'],
  ] as const;
  for (const [name, peer] of pairs) {
    outside.run([{ op: 'link.add', link: { name, info: { kind: 'veth' }, up: true, peer: { name: peer } } }]);
  }
  const crashes: object[] = [];
  let attached = 0;
  const log = { info() {}, warn() {}, error: (fields: object) => void crashes.push(fields) };
  const host: PluginHost = {
    plugin: async (type) => PLUGINS.get(type),
    nodeNetwork: () => undefined,
    addresses: NODE_CIDRS,
    leases: { folder: new LeaseFolder(b.socketPath, log) },
    log,
    get store(): never {
      return assert.fail('these plugins have no journal');
    },
  };
  const locks = new KeyedLock();
  const ask = (type: string, command: string, conf: object, args: string) => {
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: pathOf(pod),
      CNI_IFNAME: 'eth0',
      CNI_ARGS: args,
    };
    const shim = { argv0: type, env, stdin: JSON.stringify(conf) };
    const withCaller = <T>(_: unknown, use: (caller: ReturnType<Callers['own']>) => Promise<T>) => use(callers.own());
    return dispatch(shim, { locks, host, withCaller, abandoned: () => false });
  };
  const dataDir = join(b.dir, 'mutated');
  await fc.assert(
    fc.asyncProperty(call, async ({ type, ipamType, conf, ipam, command, args }) => {
      const plain = {
        cniVersion: '1.1.0',
        name: 'net',
        type,
        bridge: 'br7',
        master: 'lo0up',
        device: 'lo1up',
        vlanId: 7,
      };
      const wholeIpam = {
        type: ipamType,
        subnet: '10.9.0.0/24',
        addresses: [{ address: '10.9.0.5/24' }],
        ...ipam,
        dataDir,
      };
      const mutated = { ...plain, ...(ipamType !== '' && { ipam: wholeIpam }), ...conf };
      const { exit, stdout } = await ask(type, command, mutated, args);
      if (exit === 1) assert.ok(Number(JSON.parse(stdout).code) > 0 && JSON.parse(stdout).code !== 999, stdout);
      const after = inside.link('eth0');
      if (after) attached++;
      if (command !== 'ADD' || exit === 1) assert.equal(after, undefined);
      await ask(type, 'DEL', mutated, args);
      await ask(type, 'DEL', { ...plain, ipMasq: true, macspoofchk: true, ipam: { type: 'host-local', dataDir } }, '');
      assert.equal(inside.link('eth0'), undefined);
      const left = [...inside.links(), ...outside.links()]
        .map(({ name }) => name)
        .filter((name) => /^(veth|pc)/.test(name));
      assert.deepEqual(left, []);
      assert.deepEqual(crashes, []);
      assert.ok(outside.link('lo1up'), 'the device of host-device came back');
    }),
    { numRuns: RUNS, ...SEED },
  );
  // Of ipMasq and macspoofchk each element has one.
  assert.doesNotMatch(sh('nft list ruleset'), /comment/);
  const files = existsSync(dataDir) ? readdirSync(dataDir, { recursive: true, encoding: 'utf8' }) : [];
  assert.deepEqual(
    files.filter((name) => /\/[0-9a-f.:]+$/.test(name)),
    [],
    'addresses that nobody has',
  );
  // Mutations that only ever break the first key that is read would prove little.
  assert.ok(attached > RUNS / 50, `${attached} of ${RUNS} attached something`);
});
