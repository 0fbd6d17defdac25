/** Calico's resources as its users write and store them, by the kubectl of Debian 12 and by a current one. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startServer, type TestServer } from '#serve/api/testing/server.ts';
import { type ClientName, client, KUBECTL_AGES, noClient } from '#test/support/clients.ts';

type Kubectl = (line: string, input?: string) => Promise<{ status: number; text: string }>;

/** A server of its own, and this kubectl speaking to it. */
function kubectlOf(name: ClientName, { dataDir }: TestServer): Kubectl {
  const env = { PATH: process.env.PATH, HOME: dataDir, KUBECONFIG: join(dataDir, 'kubeconfig') };
  return async (line, input = '') => {
    const child = spawn(client(name) ?? 'kubectl', line.split(' '), { env, stdio: 'pipe' });
    child.stdin.on('error', () => {}).end(input);
    const [out, err, [status]] = await Promise.all([
      child.stdout.toArray(),
      child.stderr.toArray(),
      once(child, 'exit'),
    ]);
    return { status: Number(status), text: Buffer.concat([...out, ...err]).toString() };
  };
}

/** In the group that people write, a resource a document: with the fields that Calico's reference names. */
const V3 = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: my.ippool-1
spec:
  cidr: 10.1.0.0/16
  ipipMode: CrossSubnet
  natOutgoing: true
  disabled: false
  nodeSelector: all()
  allowedUses:
  - Workload
  - Tunnel
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: ipv6-pool
spec:
  cidr: fd00:1::/48
  blockSize: 122
  vxlanMode: Always
  natOutgoing: false
  disableBGPExport: true
  assignmentMode: Automatic
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: rack-0
spec:
  cidr: 192.168.0.0/24
  blockSize: 28
  vxlanMode: CrossSubnet
  nodeSelector: rack == "0" && has(zone)
  namespaceSelector: projectcalico.org/name == "team"
---
apiVersion: projectcalico.org/v3
kind: IPReservation
metadata:
  name: my-ipreservation-1
spec:
  reservedCIDRs:
  - 192.168.2.3
  - 10.0.2.3/32
  - cafe:f00d::/123
---
apiVersion: projectcalico.org/v3
kind: IPAMConfiguration
metadata:
  name: default
spec:
  strictAffinity: false
  maxBlocksPerHost: 4
  autoAllocateBlocks: true
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata:
  name: default
spec:
  logSeverityScreen: Info
  nodeToNodeMeshEnabled: true
  nodeMeshMaxRestartTime: 120s
  asNumber: 63400
  serviceClusterIPs:
  - cidr: 10.96.0.0/12
  serviceExternalIPs:
  - cidr: 104.244.42.129/32
  - cidr: 172.217.3.0/24
  listenPort: 178
  bindMode: NodeIP
  communities:
  - name: bgp-large-community
    value: 63400:300:100
  prefixAdvertisements:
  - cidr: 172.218.4.0/26
    communities:
    - bgp-large-community
    - 63400:120
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: some.name
spec:
  node: rack1-host1
  peerIP: 192.168.1.1
  asNumber: 63400
---
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata:
  name: my-filter
spec:
  exportV4:
  - action: Accept
    matchOperator: In
    cidr: 77.0.0.0/16
    source: RemotePeers
  importV6:
  - action: Reject
    matchOperator: NotIn
    cidr: 9000:1:0::0/64
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata:
  name: default
spec:
  ipv6Support: false
  ipipMTU: 1400
  chainInsertMode: Append
  wireguardEnabled: false
  wireguardMTU: 1440
  bpfLogLevel: ""
  floatingIPs: Disabled
  logSeverityScreen: Info
  reportingInterval: 0s
  failsafeInboundHostPorts:
  - protocol: tcp
    port: 22
    net: 0.0.0.0/0
  routeTableRanges:
  - min: 1
    max: 250
---
apiVersion: projectcalico.org/v3
kind: KubeControllersConfiguration
metadata:
  name: default
spec:
  logSeverityScreen: Info
  healthChecks: Enabled
  controllers:
    node:
      reconcilerPeriod: 5m
      leakGracePeriod: 15m
      syncLabels: Enabled
      hostEndpoint:
        autoCreate: Disabled
    policy:
      reconcilerPeriod: 5m
`;

/** As a cluster without Calico's API server stores them, and as `kubectl get -o yaml` of one would have them. */
const STORED = `
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata:
  annotations:
    projectcalico.org/metadata: '{"creationTimestamp":"2024-01-01T00:00:00Z"}'
  name: default-ipv4-ippool
spec:
  allowedUses:
  - Workload
  - Tunnel
  blockSize: 26
  cidr: 10.244.0.0/16
  ipipMode: Always
  natOutgoing: true
  nodeSelector: all()
  vxlanMode: Never
---
apiVersion: crd.projectcalico.org/v1
kind: IPAMConfig
metadata:
  annotations:
    projectcalico.org/metadata: '{"creationTimestamp":null}'
  name: default
spec:
  autoAllocateBlocks: true
  maxBlocksPerHost: 0
  strictAffinity: false
---
apiVersion: crd.projectcalico.org/v1
kind: IPReservation
metadata:
  name: gateway
spec:
  reservedCIDRs: [10.244.0.1]
---
apiVersion: crd.projectcalico.org/v1
kind: BlockAffinity
metadata:
  name: node1-10-244-1-0-30
spec:
  cidr: 10.244.1.0/30
  deleted: "false"
  node: node1
  state: confirmed
  type: host
---
apiVersion: crd.projectcalico.org/v1
kind: IPAMBlock
metadata:
  name: 10-244-1-0-30
spec:
  affinity: host:node1
  allocations: [0, null, 1, null]
  attributes:
  - handle_id: vxlan-tunnel-addr-node1
    secondary: {node: node1, type: vxlanTunnelAddress}
  - handle_id: k8s-pod-network.8d2f
    secondary: {namespace: default, node: node1, pod: web, timestamp: 2024-01-01 00:00:00 +0000 UTC}
  cidr: 10.244.1.0/30
  deleted: false
  sequenceNumber: 3
  sequenceNumberForAllocation: {"0": 1, "2": 2}
  strictAffinity: false
  unallocated: [1, 3]
---
apiVersion: crd.projectcalico.org/v1
kind: IPAMHandle
metadata:
  name: k8s-pod-network.8d2f
spec:
  block: {10.244.1.0/30: 1}
  deleted: false
  handleID: k8s-pod-network.8d2f
---
apiVersion: crd.projectcalico.org/v1
kind: BGPConfiguration
metadata: {name: default}
spec: {asNumber: 64512, nodeToNodeMeshEnabled: false}
---
apiVersion: crd.projectcalico.org/v1
kind: FelixConfiguration
metadata: {name: default}
spec: {bpfConnectTimeLoadBalancing: TCP, logSeverityScreen: Warning, vxlanVNI: 4096, wireguardEnabled: true}
`;

const pool = (spec: string, name = 'p', group = 'projectcalico.org/v3') =>
  `apiVersion: ${group}\nkind: IPPool\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const other = (kind: string, spec: string, name = 'default') =>
  `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

/** What is refused, and the sentence that says why. There is one pool, 10.0.0.0/16. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    'a pool on another’s addresses',
    pool('{cidr: 10.0.128.0/17}'),
    /IPPool\(p\) CIDR overlaps with IPPool\(first\) CIDR 10\.0\.0\.0\/16/,
  ],
  [
    'a pool around another’s',
    pool('{cidr: 10.0.0.0/8}', 'p', 'crd.projectcalico.org/v1'),
    /overlaps with IPPool\(first\)/,
  ],
  [
    'a pool smaller than its blocks',
    pool('{cidr: 10.1.0.0/27}'),
    /IP pool size is too small: it must hold at least one block of \/26/,
  ],
  [
    'blocks of 2^13 addresses',
    pool('{cidr: 10.1.0.0/16, blockSize: 19}'),
    /spec\.blockSize: .*block size must be between 20 and 32 for IPv4/,
  ],
  ['blocks of no address', pool('{cidr: 10.1.0.0/16, blockSize: 33}'), /block size must be between 20 and 32 for IPv4/],
  [
    'IPv6 blocks of 2^16 addresses',
    pool('{cidr: "fd00::/48", blockSize: 112}'),
    /block size must be between 116 and 128 for IPv6/,
  ],
  ['a pool without network', pool('{natOutgoing: true}'), /cidr/],
  ['a network with host bits', pool('{cidr: 10.1.2.3/16}'), /the network is 10\.1\.0\.0\/16/],
  ['no network', pool('{cidr: 10.1.256.0/24}'), /spec\.cidr: Invalid value: "10\.1\.256\.0\/24"/],
  ['link-local addresses', pool('{cidr: 169.254.1.0/24}'), /overlaps with link local address/],
  [
    'two encapsulations',
    pool('{cidr: 10.1.0.0/16, ipipMode: Always, vxlanMode: Always}'),
    /IPIPMode and VXLANMode cannot both be enabled/,
  ],
  ['IPIP of IPv6', pool('{cidr: "fd00::/48", ipipMode: Always}'), /an IPv6 pool can only have Never/],
  ['an unknown mode', pool('{cidr: 10.1.0.0/16, ipipMode: always}'), /spec\.ipipMode: Unsupported value: "always"/],
  [
    'a selector that cannot be read',
    pool('{cidr: 10.1.0.0/16, nodeSelector: "rack = 1"}'),
    /spec\.nodeSelector: Invalid value.*column/,
  ],
  [
    'LoadBalancer with Workload',
    pool('{cidr: 10.1.0.0/16, allowedUses: [LoadBalancer, Workload]}'),
    /cannot be used together/,
  ],
  [
    'a field of Calico’s first API',
    pool('{cidr: 10.1.0.0/16, ipip: {enabled: true}}'),
    /spec\.ipip: Forbidden: is of Calico.s first API; write ipipMode/,
  ],
  [
    'a reserved nonsense',
    other('IPReservation', '{reservedCIDRs: [10.0.0.0/33]}'),
    /spec\.reservedCIDRs\[0\]: Invalid value: "10\.0\.0\.0\/33"/,
  ],
  [
    'IPAM settings of another name',
    other('IPAMConfiguration', '{strictAffinity: true, autoAllocateBlocks: true}', 'x'),
    /must be "default"/,
  ],
  [
    'fewer than no blocks',
    other('IPAMConfiguration', '{strictAffinity: true, autoAllocateBlocks: true, maxBlocksPerHost: -1}'),
    /maxBlocksPerHost/,
  ],
  ['AS number 0', other('BGPConfiguration', '{asNumber: 0}'), /must be an AS number/],
  ['a VNI of 25 bits', other('FelixConfiguration', '{vxlanVNI: 16777216}'), /between 1 and 16777215/],
];

for (const name of KUBECTL_AGES) {
  describe(`Calico’s resources by ${name}`, { skip: noClient(name), timeout: 240_000 }, () => {
    it('manifests of projectcalico.org/v3 are taken unchanged, again too, and shown', async () => {
      await using server = await startServer();
      const kubectl = kubectlOf(name, server);
      const count = V3.split('---').length;
      const applied = await kubectl('apply -f -', V3);
      assert.equal(applied.text.match(/ created$/gm)?.length, count, applied.text);
      const again = await kubectl('apply -f -', V3);
      assert.equal(again.text.match(/ unchanged$/gm)?.length, count, again.text);
      assert.match(
        (await kubectl('get ippools -o wide')).text,
        /my\.ippool-1 +10\.1\.0\.0\/16 +all\(\) +true +CrossSubnet/,
      );
      const yaml = (await kubectl('get ipreservations my-ipreservation-1 -o yaml')).text;
      assert.match(yaml, /reservedCIDRs:\n {2}- 192\.168\.2\.3\n {2}- 10\.0\.2\.3\/32\n {2}- cafe:f00d::\/123\n/);
      const stored = await kubectl(
        'get felixconfigurations.crd.projectcalico.org default -o jsonpath={.apiVersion}{.spec.routeTableRanges[0].max}',
      );
      assert.equal(stored.text, 'crd.projectcalico.org/v1250');
      assert.equal((await kubectl('diff -f -', V3)).status, 0);
      const gone = await kubectl('delete -f -', V3);
      assert.equal(gone.text.match(/ deleted/gm)?.length, count, gone.text);
    });

    it('what a cluster stores as crd.projectcalico.org/v1 is taken unchanged, server-side too, and is the same thing', async () => {
      await using server = await startServer();
      const kubectl = kubectlOf(name, server);
      const count = STORED.split('---').length;
      const applied = await kubectl('apply -f -', STORED);
      assert.equal(applied.text.match(/ created$/gm)?.length, count, applied.text);
      const again = await kubectl('apply -f -', STORED);
      assert.equal(again.text.match(/ unchanged$/gm)?.length, count, again.text);
      const side = await kubectl('apply --server-side --force-conflicts -f -', STORED);
      assert.equal(side.text.match(/ serverside-applied$/gm)?.length, count, side.text);
      const shown = await kubectl(
        'get ippools.projectcalico.org default-ipv4-ippool -o jsonpath={.apiVersion}{.spec.ipipMode}',
      );
      assert.equal(shown.text, 'projectcalico.org/v3Always');
      const block = (
        await kubectl('get ipamblocks.crd.projectcalico.org 10-244-1-0-30 -o jsonpath={.spec.allocations}')
      ).text;
      assert.equal(block, '[0,null,1,null]');
      assert.match((await kubectl('get ipamconfigurations')).text, /default/);
    });

    it('bad input is refused with a sentence, and nothing of it is there', async () => {
      await using server = await startServer();
      const kubectl = kubectlOf(name, server);
      await kubectl('apply -f -', pool('{cidr: 10.0.0.0/16}', 'first'));
      for (const [what, manifest, sentence] of REFUSED) {
        const { status, text } = await kubectl('apply -f -', manifest);
        assert.notEqual(status, 0, what);
        assert.match(text, sentence, what);
      }
      assert.equal((await kubectl('get ippools -o name')).text.trim().split('\n').length, 1);
      const none = await kubectl('get ipreservations,ipamconfigurations,bgpconfigurations,felixconfigurations -o name');
      assert.doesNotMatch(none.text, /\//, none.text);
    });

    it('a pool in use keeps its network and its blocks’ size, all else can be changed', async () => {
      await using server = await startServer();
      const kubectl = kubectlOf(name, server);
      await kubectl('apply -f -', pool('{cidr: 10.0.0.0/16}'));
      for (const [key, value] of [
        ['cidr', '"10.0.0.0/15"'],
        ['blockSize', '27'],
      ]) {
        const { status, text } = await kubectl(`patch ippool p --type merge -p {"spec":{"${key}":${value}}}`);
        assert.notEqual(status, 0);
        assert.match(
          text,
          new RegExp(`spec\\.${key}: Forbidden: field is immutable; make another pool and set disabled on this one`),
        );
      }
      const changed = await kubectl(
        'patch ippool p --type merge -p {"spec":{"disabled":true,"vxlanMode":"Always","natOutgoing":true}}',
      );
      assert.match(changed.text, /patched/);
      const both = await kubectl('patch ippool p --type merge -p {"spec":{"ipipMode":"Always"}}');
      assert.match(both.text, /IPIPMode and VXLANMode cannot both be enabled/);
    });
  });
}
