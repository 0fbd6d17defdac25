import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BgpReport, WhyReport } from '#calc/bgp/report.ts';
import type { SessionReport } from '#calc/bgp/session-report.ts';
import { routesText, statusText, whyText } from '#cli/bgp-text.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';

const session: SessionReport = {
  name: 'Mesh_192_168_1_102',
  addr: parseAddr('192.168.1.102'),
  port: 179,
  family: 4,
  type: 'node-to-node mesh',
  origin: 'node node2',
  asNumber: 64_512,
  state: 'up',
  since: '2026-11-29 08:12:42.917298',
  info: 'Established',
  imported: 2,
  filtered: 1,
  exported: 3,
};
const report: BgpReport = {
  node: 'node1',
  speaker: { asNumber: 64_512, routerId: parseAddr('192.168.1.101') },
  daemon: {
    version: '2.0.12',
    now: '2026-11-29 12:00:00.000001',
    startedAt: '2026-11-28 08:12:41.1',
    configuredAt: '2026-11-29 09:00:00.2',
    restarting: false,
  },
  sessions: [session],
  problems: [],
};

test('statusText prints the tables of `calicoctl node status`', () => {
  assert.equal(
    statusText([report], false),
    `node1: BIRD 2.0.12 runs since 2026-11-28 08:12:41, configured 2026-11-29 09:00:00; AS 64512, router id 192.168.1.101.

IPv4 BGP status
+---------------+-------------------+-------+----------+-------------+
| PEER ADDRESS  |     PEER TYPE     | STATE |  SINCE   |    INFO     |
+---------------+-------------------+-------+----------+-------------+
| 192.168.1.102 | node-to-node mesh | up    | 08:12:42 | Established |
+---------------+-------------------+-------+----------+-------------+

IPv6 BGP status
No IPv6 peers found.
`,
  );
});

test('statusText: wide has counts of routes; another day is said as the day', () => {
  const older = { ...session, since: '2026-11-02 08:12:42.9' };
  const text = statusText([{ ...report, sessions: [older] }], true);
  assert.match(text, /\| up {4}\| 2026-11-02 \| Established \| 64512 \| 2 {8}\| 1 {8}\| 3 {8}\| {5}\| node node2 /);
});

test('statusText says what is wrong, and who speaks no BGP', () => {
  const problem = {
    code: 'bgp-password',
    node: 'node1',
    sentence: 'There is no Secret.',
    todo: 'Make it.',
  } as const;
  const { daemon: _, ...without } = report;
  const away = { ...without, trouble: 'BIRD has ended.', problems: [problem] };
  const text = statusText([away, { node: 'node2', sessions: [], problems: [] }], false);
  assert.match(text, /^node1: BIRD does not run; AS 64512/);
  assert.match(text, /\nBIRD has ended\.\n\nThere is no Secret\. Make it\.\n\nnode2 speaks no BGP\.\n$/);
});

test('whyText gives each way its fate and each peer its reason', () => {
  const attributes = { 'BGP.as_path': '64600' };
  const kernel = { put: true, because: 'heard by BGP' };
  const hops = [{ via: parseAddr('192.168.1.2'), ifname: 'eth0', onlink: false }];
  const way = { proto: 'Global_192_168_1_2', origin: 'global: BGPPeer tor', from: parseAddr('192.168.1.2') };
  const peers = [
    { peer: parseAddr('192.168.1.102'), type: 'node-to-node mesh', session: 'Mesh', told: false, because: 'a rule' },
  ] as const;
  const net = parsePrefix('203.0.113.0/26');
  const reports: WhyReport[] = [
    {
      node: 'node1',
      asked: parsePrefix('203.0.113.7/32'),
      answer: {
        net,
        ways: [
          { ...way, dest: 'unicast', hops, attributes, state: 'chosen', because: 'the only way', kernel, peers },
          { ...way, dest: 'unicast', hops, attributes, state: 'rejected', because: 'a filter', kernel, peers: [] },
        ],
      },
    },
    { node: 'node2', asked: net },
  ];
  assert.equal(
    whyText(reports),
    `node1: 203.0.113.0/26, which is what leads to 203.0.113.7/32
 * 192.168.1.2 dev eth0, from 192.168.1.2 (global: BGPPeer tor)
     chosen: the only way
     kernel: yes, heard by BGP
     PEER            PEER TYPE           TOLD   BECAUSE
     192.168.1.102   node-to-node mesh   no     a rule
 x 192.168.1.2 dev eth0, from 192.168.1.2 (global: BGPPeer tor)
     rejected: a filter

node2: BIRD knows no way to 203.0.113.0/26, and no larger network that holds it.
`,
  );
});

test('routesText says that there is none', () => {
  assert.equal(routesText([{ node: 'node1', routes: [] }]), 'BIRD knows no such route.\n');
});
