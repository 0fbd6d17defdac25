/** Calico's manifests, applied with stock kubectl. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startServer, type TestServer } from '#serve/api/testing/server.ts';

const missing = spawnSync('kubectl', ['version', '--client']).error === undefined ? false : 'kubectl is not installed';

async function kubectl({ dataDir }: TestServer, line: string, input = ''): Promise<{ status: number; text: string }> {
  const env = { PATH: process.env.PATH, HOME: dataDir, KUBECONFIG: join(dataDir, 'kubeconfig') };
  const child = spawn('kubectl', line.split(' '), { env, stdio: 'pipe' });
  child.stdin.end(input);
  const [out, err, [status]] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), once(child, 'exit')]);
  return { status: Number(status), text: Buffer.concat([...out, ...err]).toString() };
}

const MANIFEST = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: default-ipv4-ippool}
spec: {cidr: 10.244.0.0/16, ipipMode: Always, natOutgoing: true, nodeSelector: all()}
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: default}
spec:
  asNumber: 4200000001
  nodeToNodeMeshEnabled: false
  serviceClusterIPs: [{cidr: 10.96.0.0/12}]
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: tor}
spec: {peerIP: 192.168.1.1, asNumber: 64567, nodeSelector: rack == 'rack-1'}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {wireguardEnabled: true, logSeverityScreen: Info, reportingInterval: 0s, vxlanVNI: 4096}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: allow-tcp-6379}
spec:
  selector: role == 'database'
  types: [Ingress]
  ingress:
  - action: Allow
    protocol: TCP
    source: {selector: role == 'frontend'}
    destination: {ports: [6379, '8000:8080']}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: deny, namespace: default}
spec: {selector: all(), types: [Ingress]}
---
apiVersion: crd.projectcalico.org/v1
kind: IPAMConfig
metadata: {name: default}
spec: {strictAffinity: true, autoAllocateBlocks: true}
`;

const BLOCK = `
apiVersion: crd.projectcalico.org/v1
kind: IPAMBlock
metadata: {name: 10-244-1-0-30}
spec:
  cidr: 10.244.1.0/30
  affinity: host:node1
  allocations: [null, 0, null, null]
  unallocated: [0, 2, 3]
  attributes: [{handle_id: k8s-pod-network.abc, secondary: {node: node1}}]
  strictAffinity: false
`;

describe('Calico v3 in the API', { skip: missing, timeout: 120_000 }, () => {
  it('takes manifests unchanged, and shows them in both groups', async () => {
    await using server = await startServer();
    const applied = await kubectl(server, 'apply -f -', MANIFEST);
    assert.equal(applied.text.split('\n').filter((line) => line.endsWith(' created')).length, 7, applied.text);
    assert.match((await kubectl(server, 'apply -f -', MANIFEST)).text, /^(\S+ unchanged\n){7}$/);
    assert.match(
      (await kubectl(server, 'get ippools')).text,
      /^NAME +CIDR +SELECTOR +AGE\ndefault-ipv4-ippool +10\.244\.0\.0\/16 +all\(\) +\d+s\n$/,
    );
    assert.match(
      (await kubectl(server, 'get ippools.crd.projectcalico.org -o wide')).text,
      /true +Always +Never +false/,
    );
    const stored = await kubectl(server, 'get ipamconfigurations.projectcalico.org default -o jsonpath={.kind}{.spec}');
    assert.match(stored.text, /^IPAMConfiguration\{.*"strictAffinity":true/);
    assert.match((await kubectl(server, 'get bgppeers')).text, /tor +192\.168\.1\.1 +rack == 'rack-1' +64567/);
    assert.match((await kubectl(server, 'get networkpolicies.projectcalico.org')).text, /deny +default/);
    assert.match((await kubectl(server, 'get networkpolicies')).text, /No resources found/);
  });

  it('keeps a block as a cluster stores it', async () => {
    await using server = await startServer();
    const { client } = server;
    const text = BLOCK.replace('\n', '');
    const headers = { 'Content-Type': 'application/yaml' };
    const made = await client.ask('POST', '/apis/crd.projectcalico.org/v1/ipamblocks', undefined, {
      raw: text,
      headers,
    });
    assert.equal(made.status, 201, made.text);
    const { body } = await client.ask('GET', '/apis/crd.projectcalico.org/v1/ipamblocks/10-244-1-0-30');
    const spec = Object(body.spec);
    assert.deepEqual(
      [spec.allocations, spec.unallocated],
      [
        [null, 0, null, null],
        [0, 2, 3],
      ],
    );
    assert.match((await kubectl(server, 'get ipamblocks')).text, /10-244-1-0-30 +10\.244\.1\.0\/30 +host:node1/);
  });

  it('refuses a second pool on the same addresses, and says which', async () => {
    await using server = await startServer();
    const pool = (name: string, cidr: string) =>
      `{"apiVersion":"crd.projectcalico.org/v1","kind":"IPPool","metadata":{"name":"${name}"},"spec":{"cidr":"${cidr}"}}`;
    await kubectl(server, 'apply -f -', pool('one', '10.0.0.0/16'));
    const { status, text } = await kubectl(server, 'apply -f -', pool('two', '10.0.128.0/17'));
    assert.equal(status, 1);
    assert.match(text, /IPPool\(two\) CIDR overlaps with IPPool\(one\) CIDR 10\.0\.0\.0\/16/);
    assert.match((await kubectl(server, 'apply -f -', pool('one', '10.0.0.0/15'))).text, /field is immutable/);
  });

  it('explains its fields', async () => {
    await using server = await startServer();
    assert.match((await kubectl(server, 'explain ippools.spec')).text, /blockSize\s+<integer>/);
  });
});
