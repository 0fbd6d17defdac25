/** Random and mutated configurations of the plugins that come later in a chain: each is served or refused, and nothing stays. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Plugin } from '#cni/plugin.ts';
import { bandwidth } from '#cni/plugins/bandwidth/bandwidth.ts';
import { firewall } from '#cni/plugins/firewall/firewall.ts';
import { portmap } from '#cni/plugins/portmap/portmap.ts';
import { sbr } from '#cni/plugins/sbr/sbr.ts';
import { tuning } from '#cni/plugins/tuning/tuning.ts';
import { vrf } from '#cni/plugins/vrf/vrf.ts';
import { chainBed, makeBridge, makePod, sh } from '#cni/testing/chain-bed.ts';
import { noKernel } from '#kernel/testing/scratch-netns.ts';

/** `PT_RUNS=10000` for a thorough run, `PT_SEED` to repeat one. */
const RUNS = Number(process.env.PT_RUNS ?? 500);
const SEED = process.env.PT_SEED === undefined ? {} : { seed: Number(process.env.PT_SEED) };
const PLUGINS: readonly Plugin[] = [portmap, bandwidth, tuning, sbr, firewall, vrf];

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('', 'eth0', 'cni0', '10.0.0.0/8', '::/0', '02:00:00:00:00:01', 'same-bridge', '!', '-d', 'blue'),
  fc.constantFrom(-1, 0, 1, 1400, 8_000_000, 2 ** 31 - 1, 2 ** 32, 2 ** 60, true, false, null),
);
const mapping = fc.dictionary(
  fc.constantFrom('hostPort', 'HostPort', 'containerPort', 'protocol', 'hostIP'),
  fc.oneof(odd, fc.integer({ min: 1, max: 65535 }), fc.constantFrom('tcp', 'udp', 'sctp')),
);
const rates = fc.dictionary(
  fc.constantFrom('ingressRate', 'ingressBurst', 'egressRate', 'egressBurst', 'unshapedSubnets', 'shapedSubnets'),
  odd,
);
const own = fc.dictionary(
  fc.constantFrom(
    'snat',
    'masqAll',
    'conditionsV4',
    'conditionsV6',
    'markMasqBit',
    'backend',
    'mac',
    'mtu',
    'promisc',
    'allmulti',
    'txQLen',
    'sysctl',
    'table',
    'vrfname',
    'ingressPolicy',
    'ingressRate',
    'egressBurst',
    'args',
    'dns',
  ),
  fc.oneof(
    odd,
    fc.array(odd, { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('net.core.somaxconn', 'net.ipv4.conf.IFNAME.arp_filter', 'kernel.x', 'cni'), odd),
  ),
  { maxKeys: 5 },
);
const runtime = fc.record(
  { portMappings: fc.oneof(odd, fc.array(mapping, { maxLength: 3 })), bandwidth: fc.oneof(odd, rates), mac: odd },
  { requiredKeys: [] },
);

test('any configuration is served or refused with a code, and after DEL nothing is left', {
  skip: noKernel,
}, async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'pt-mutated-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const b = chainBed(t);
  makeBridge();
  const pod = makePod(t, 2);
  const before = sh('ip -br link | cut -d" " -f1');
  const prevs = fc.oneof(fc.constant(pod.prevResult), fc.record({ ips: odd, interfaces: odd }), odd);
  const plugin = fc.constantFrom(...PLUGINS);
  await fc.assert(
    fc.asyncProperty(plugin, own, runtime, prevs, async (one, keys, runtimeConfig, prevResult) => {
      const conf = { ...keys, cniVersion: '1.0.0', name: 'net', type: one.type, dataDir, runtimeConfig, prevResult };
      for (const command of ['ADD', 'CHECK', 'STATUS', 'DEL', 'GC']) {
        const { exit, json } = await b.call(command, one, conf, pod.env);
        if (exit !== 0) assert.ok(Number(json?.code) > 0 && json?.code !== 999, `${command}: ${JSON.stringify(json)}`);
      }
      await b.ok('DEL', one, { cniVersion: '1.0.0', name: 'net', type: one.type, dataDir, vrfname: 'blue' }, pod.env);
    }),
    { numRuns: RUNS, ...SEED },
  );
  assert.equal(sh('ip -br link | cut -d" " -f1'), before);
  assert.doesNotMatch(sh('nft list ruleset'), /comment/);
  assert.deepEqual(readdirSync(dataDir), []);
});
