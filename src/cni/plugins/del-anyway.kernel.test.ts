/** DEL and GC do not fail for what only ADD needs: a configuration may have been changed since, or never been good. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLUGINS } from '#cni/plugins/table.ts';
import { answerOf, type Bed, BRIDGED, bed, noBed, pathOf, SHIM } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

interface Row {
  /** Keys of its own that ADD takes; absent: only DEL and GC are called. */
  readonly good?: (b: Bed) => object;
  /** The same keys as nobody can read them, but for those that say where things are. */
  readonly broken: (b: Bed) => object;
  /** It is the first of the chain, or asked by another. */
  readonly first?: true;
  /** Kernel feature that may be lacking: there is nothing to delete then. */
  readonly feature?: true;
}

const dataDir = (b: Bed) => join(b.dir, 'tuning');
const ipam = (b: Bed) => ({ type: 'host-local', subnet: '10.9.0.0/24', dataDir: join(b.dir, 'ipam') });

const ROWS: Readonly<Record<string, Row>> = {
  portmap: {
    good: () => ({ runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } }),
    broken: () => ({
      snat: 'x',
      masqAll: 5,
      markMasqBit: 99,
      backend: 'pf',
      conditionsV4: ['-x'],
      runtimeConfig: { portMappings: 5 },
    }),
  },
  tuning: {
    good: (b) => ({
      dataDir: dataDir(b),
      promisc: true,
      txQLen: 7,
      mac: 'c2:b0:57:49:47:f1',
      sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' },
    }),
    broken: (b) => ({
      dataDir: dataDir(b),
      promisc: 'x',
      txQLen: -1,
      mac: '?',
      sysctl: { 'kernel.x': 5 },
      args: { cni: { allmulti: 7 } },
    }),
  },
  sbr: { good: () => ({ table: 200 }), broken: () => ({ table: 'x' }) },
  vrf: { good: () => ({ vrfname: 'blue' }), broken: () => ({ vrfname: 5, table: 'x' }), feature: true },
  bandwidth: {
    good: () => ({ egressRate: 8_000_000, egressBurst: 800_000 }),
    broken: () => ({ egressRate: 'x', ingressBurst: -1, shapedSubnets: 5, runtimeConfig: { bandwidth: 5 } }),
  },
  firewall: { good: () => ({}), broken: () => ({ ingressPolicy: 'closed', backend: 5 }) },
  'host-local': {
    good: (b) => ({ ipam: ipam(b) }),
    broken: (b) => ({
      ipam: { ...ipam(b), subnet: 'x', ranges: 5, routes: 'x', resolvConf: 7 },
      runtimeConfig: { ips: 5 },
    }),
    first: true,
  },
  static: {
    good: () => ({ ipam: { type: 'static', addresses: [{ address: '10.9.0.5/24' }] } }),
    broken: () => ({ ipam: 5, runtimeConfig: { ips: 5 } }),
    first: true,
  },
  dhcp: { broken: () => ({ ipam: { type: 'dhcp', timeout: 'x', provide: 5, clientIdentifier: 'x' } }), first: true },
  loopback: { good: () => ({}), broken: () => ({ ipam: 5 }), first: true },
};

/** They make the pod's interface. */
const MAKERS = [
  'bridge',
  'dummy',
  'flannel',
  'host-device',
  'ipvlan',
  'macvlan',
  'polder',
  'polder-multi',
  'ptp',
  'tap',
  'vlan',
];

test('the table has a row for every plugin that makes no interface', () => {
  assert.deepEqual([...Object.keys(ROWS), ...MAKERS].toSorted(), [...PLUGINS.keys()].toSorted());
});

/** What a DEL that did its work has taken away. */
function seen(b: Bed, pod: Netns): object {
  return {
    links: sh('ip -br link | cut -d" " -f1'),
    owned: sh('nft list ruleset | grep comment; true'),
    rules: sh('ip rule; ip -6 rule', pod),
    pod: sh('ip -o link show | sed "s/qdisc.*mode//"; sysctl net.ipv4.conf | grep arp_filter', pod),
    files: readdirSync(b.dir, { recursive: true, encoding: 'utf8' }).filter((name) => /\.json$|[\d.]{7}$/.test(name)),
  };
}

for (const [type, { good, broken, first, feature }] of Object.entries(ROWS)) {
  test(`${type}: DEL and GC take all away, whatever has become of the configuration`, { skip: noBed() }, async (t) => {
    const b = await bed(t, BRIDGED);
    mkdirSync(join(b.dir, 'ipam'));
    using pod = scratchNetns();
    const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: type === 'loopback' ? 'lo' : 'eth0' };
    const base = { cniVersion: '1.1.0', name: 'net', type };
    const maker = { ...base, type: 'ptp', ipam: ipam(b) };
    const prevResult = first ? undefined : (await b.cni('ADD', env, maker)).json;
    const before = seen(b, pod);
    if (good) {
      const { exit, json, stdout } = await b.cni('ADD', env, { ...base, ...good(b), prevResult });
      assert.ok(exit === 0 || (feature && json?.code === 100), stdout);
    }
    const worse = { ...base, ...broken(b) };
    for (const time of ['first', 'second']) {
      const { exit, stdout } = await b.cni('DEL', env, worse);
      assert.equal(exit, 0, `${time} DEL: ${stdout}`);
      assert.deepEqual(seen(b, pod), before, time);
    }
    const { exit, stdout } = await b.cni('GC', {}, { ...worse, 'cni.dev/valid-attachments': [] });
    assert.equal(exit, 0, `GC: ${stdout}`);
  });
}

const NOWHERE: readonly [string, object][] = [
  ['tuning', { dataDir: 5 }],
  ['tuning', { dataDir: '/proc/version/x' }],
  ['tuning', { dataDir: '/x\0' }],
  ['host-local', { ipam: 5 }],
  ['host-local', { ipam: { type: 'host-local', dataDir: 5 } }],
  ['host-local', { ipam: { type: 'host-local', dataDir: 'relative' } }],
];

for (const [type, keys] of NOWHERE) {
  test(`${type} with ${JSON.stringify(keys)}: DEL and GC look where they would without`, {
    skip: noBed(),
  }, async (t) => {
    const b = await bed(t, BRIDGED);
    using pod = scratchNetns();
    const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0', POLDER_CNI_SOCKET: b.socketPath };
    // The caller's own view, as a container runtime in a container has it: the machine's folders are not touched.
    const script = 'mount -t tmpfs none /var/lib && mount -t tmpfs none /run && ln -s "$1" "/run/$2" && exec "/run/$2"';
    for (const command of ['DEL', 'GC']) {
      const conf = { cniVersion: '1.1.0', name: 'net', type, ...keys, 'cni.dev/valid-attachments': [] };
      const args = ['-m', 'sh', '-c', script, 'sh', SHIM, type];
      const ran = spawn('unshare', args, { env: { ...process.env, ...env, CNI_COMMAND: command } });
      const { exit, stdout } = await answerOf(ran, conf);
      assert.equal(exit, 0, stdout);
    }
  });
}
