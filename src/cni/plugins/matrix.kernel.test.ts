/** Every verb of every plugin in every version of the specification: a table, and a hole in it fails. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PLUGINS } from '#cni/plugins/table.ts';
import { type Bed, BRIDGED, bed, noBed, pathOf, type ShimAnswer } from '#cni/testing/bed.ts';
import { sh } from '#cni/testing/chain-bed.ts';
import { makeSegment, noDnsmasq, startDnsmasq } from '#cni/testing/dhcp-server.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';
import { atLeast, SPEC_VERSIONS, type SpecVersion } from '#wire/cni/version.ts';

interface Row {
  /** Keys beside version, name and type. */
  readonly conf: (b: Bed) => object;
  /** It comes later in a chain, behind `ptp`. */
  readonly meta?: true;
  /** Kernel feature that may be lacking: then it says so, code 100. */
  readonly feature?: true;
  readonly ifname?: string;
  readonly skip?: string | false;
  /** On the node, before anything. */
  readonly prepare?: (b: Bed, t: TestContext) => Promise<void> | void;
}

const local = (b: Bed) => ({
  ipam: { type: 'host-local', subnet: '10.9.0.0/24', dataDir: join(b.dir, 'ipam'), routes: [{ dst: '0.0.0.0/0' }] },
});
const uplink = () => void sh('ip link add up0 type veth peer name far0 && ip link set up0 up');

const ROWS: Readonly<Record<string, Row>> = {
  polder: { conf: () => ({}) },
  bridge: { conf: (b) => ({ bridge: 'br7', isGateway: true, ipMasq: true, ...local(b) }) },
  ptp: { conf: local },
  loopback: { conf: () => ({}), ifname: 'lo' },
  macvlan: { conf: (b) => ({ master: 'up0', ...local(b) }), prepare: uplink },
  ipvlan: { conf: (b) => ({ master: 'up0', ...local(b) }), prepare: uplink, feature: true },
  vlan: { conf: (b) => ({ master: 'up0', vlanId: 7, ...local(b) }), prepare: uplink, feature: true },
  dummy: { conf: local, feature: true },
  tap: { conf: local },
  'host-device': { conf: (b) => ({ device: 'up0', ...local(b) }), prepare: uplink },
  'host-local': { conf: local },
  static: { conf: () => ({ ipam: { type: 'static', addresses: [{ address: '10.9.0.5/24' }] } }) },
  dhcp: {
    conf: () => ({ master: 'up0', ipam: { type: 'dhcp', timeout: 5 } }),
    skip: noDnsmasq,
    async prepare(_, t) {
      const segment = makeSegment(t, 'up0', '10.50.0.1/24');
      await startDnsmasq(t, segment, ['dhcp-range=10.50.0.10,10.50.0.99,255.255.255.0,1h']);
    },
  },
  portmap: { conf: () => ({ runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } }), meta: true },
  tuning: { conf: (b) => ({ dataDir: join(b.dir, 'tuning'), mtu: 1400 }), meta: true },
  sbr: { conf: () => ({}), meta: true },
  vrf: { conf: () => ({ vrfname: 'blue' }), meta: true, feature: true },
  bandwidth: { conf: () => ({ ingressRate: 8_000_000, ingressBurst: 800_000 }), meta: true },
  firewall: { conf: () => ({}), meta: true },
  flannel: {
    conf: (b) => ({
      subnetFile: join(b.dir, 'subnet.env'),
      dataDir: join(b.dir, 'flannel'),
      ipam: { dataDir: join(b.dir, 'ipam') },
    }),
    prepare: (b) =>
      writeFileSync(
        join(b.dir, 'subnet.env'),
        'FLANNEL_NETWORK=10.99.0.0/16\nFLANNEL_SUBNET=10.99.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
      ),
  },
  'polder-multi': {
    conf: (b) => ({
      cniDir: join(b.dir, 'multi'),
      delegates: [{ cniVersion: '1.0.0', name: 'first', type: 'polder' }],
      // It says that there are no more networks: no API is asked.
      runtimeConfig: { 'io.kubernetes.cri.pod-annotations': {} },
    }),
  },
};

test('the matrix has a row for every plugin, and for nothing else', () => {
  assert.deepEqual(Object.keys(ROWS).sort(), [...PLUGINS.keys()].sort());
});

const NEWEST: SpecVersion = '1.1.0';

function good({ exit, stdout, json }: ShimAnswer): Record<string, unknown> {
  assert.equal(exit, 0, stdout);
  return json ?? {};
}

/** The result has the shape of the version (sections "Result" of each specification). */
function checkShape(result: Record<string, unknown>, version: SpecVersion, bare: boolean): void {
  assert.equal(result.cniVersion, version);
  if (!atLeast(version, '0.3.0')) {
    assert.deepEqual([result.ips, result.interfaces], [undefined, undefined]);
    if (!bare) assert.ok(result.ip4 ?? result.ip6, 'an address');
    return;
  }
  assert.deepEqual([result.ip4, result.ip6], [undefined, undefined]);
  const ips = (result.ips ?? []) as { version?: string; address: string }[];
  const family = atLeast(version, '1.0.0') ? undefined : '4';
  for (const ip of ips) if (!ip.address.includes(':')) assert.equal(ip.version, family);
  if (!bare) assert.ok(ips.length > 0, 'an address');
}

for (const [type, row] of Object.entries(ROWS)) {
  for (const version of SPEC_VERSIONS) {
    test(`${type}, CNI ${version}: each verb`, { skip: noBed() || row.skip }, async (t) => {
      const b = await bed(t, BRIDGED, { coolDownMs: 0 });
      mkdirSync(join(b.dir, 'ipam'), { recursive: true });
      await row.prepare?.(b, t);
      using pod = scratchNetns();
      const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: row.ifname ?? 'eth0' };
      const base = { cniVersion: version, name: 'net', type };
      const conf = { ...base, ...row.conf(b) };
      const reply = good(await b.cni('VERSION', {}, base));
      assert.deepEqual([reply.cniVersion, reply.supportedVersions], [version, SPEC_VERSIONS]);

      const first = { cniVersion: version, name: 'net', type: 'ptp', ...local(b) };
      // Asked by an interface that the plugin before has made.
      if (type === 'dhcp') sh(`ip link add link up0 name eth0 netns ${pathOf(pod)} type macvlan mode bridge`);
      const prevResult = row.meta ? good(await b.cni('ADD', env, first)) : undefined;
      const added = await b.cni('ADD', env, { ...conf, ...(prevResult && { prevResult }) });
      if (row.feature && added.exit === 1) {
        assert.equal(added.json?.code, 100, added.stdout);
        assert.match(String(added.json?.msg), /^The kernel has no /);
      } else {
        const result = good(added);
        checkShape(result, version, type === 'loopback');
        const checked = await b.cni('CHECK', env, { ...conf, prevResult: result });
        if (atLeast(version, '0.4.0')) good(checked);
        else assert.deepEqual([checked.exit, checked.json?.code], [1, 1], 'CHECK came with 0.4.0');
        // A result of an old version is understood as prevResult of the newest.
        if (atLeast(version, '0.3.0')) {
          const newest = await b.cni('CHECK', env, { ...conf, cniVersion: NEWEST, prevResult: result });
          good(newest);
        }
      }
      const status = await b.cni('STATUS', {}, conf);
      if (!atLeast(version, '1.1.0'))
        assert.deepEqual([status.exit, status.json?.code], [1, 1], 'STATUS came with 1.1.0');
      else if (!row.feature && type !== 'host-device') good(status);
      good(await b.cni('DEL', env, conf));
      good(await b.cni('DEL', { ...env, CNI_NETNS: '' }, conf));
      const collected = await b.cni('GC', {}, { ...conf, 'cni.dev/valid-attachments': [] });
      if (atLeast(version, '1.1.0')) good(collected);
      else assert.deepEqual([collected.exit, collected.json?.code], [1, 1], 'GC came with 1.1.0');
      if (row.meta) good(await b.cni('DEL', env, first));
    });
  }
}
