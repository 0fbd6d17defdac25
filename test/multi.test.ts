/** Several networks for one pod, in a lab, with kubectl: what the seeds let their readers apply, and a second bridge. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testLab } from './support/lab.ts';
import { noKubectl, noLab } from './support/polder.ts';

const skip = noLab() || noKubectl();

const SEED = `apiVersion: "k8s.cni.cncf.io/v1"
kind: NetworkAttachmentDefinition
metadata:
  name: flannel-conf
spec:
  config: '{
    "cniVersion": "0.3.1",
    "type": "flannel",
    "delegate": {
      "isDefaultGateway": true
    }
  }'
---
apiVersion: v1
kind: Pod
metadata:
  name: multi-net-pod
  annotations:
    k8s.v1.cni.cncf.io/networks: flannel-conf
spec:
  containers:
  - name: app
    image: nginx
`;

test('a pod of the seeds has a second network by Flannel', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1', '--profile', 'flannel-vxlan');
  assert.match(await lab.kubectl('kubectl apply -f -', SEED), /flannel-conf created[\s\S]*pod\/multi-net-pod created/);
  await lab.kubectl('kubectl wait --for=condition=Ready pod/multi-net-pod --timeout=30s');
  assert.match(await lab.kubectl('kubectl get net-attach-def'), /NAME +AGE\nflannel-conf/);

  const seen = await lab.kubectl('kubectl exec multi-net-pod -- ip -o -4 addr');
  const [, first = ''] = /eth0 +inet (10\.244\.1\.\d+)\/24/.exec(seen) ?? [];
  const [, second = ''] = /net1 +inet (10\.244\.1\.\d+)\/24/.exec(seen) ?? [];
  assert.ok(first !== '' && second !== '' && first !== second, seen);
  assert.equal(await lab.kubectl("kubectl get pod multi-net-pod -o jsonpath='{.status.podIP}'"), first);
  const status = JSON.parse(
    await lab.kubectl(
      "kubectl get pod multi-net-pod -o jsonpath='{.metadata.annotations.k8s\\.v1\\.cni\\.cncf\\.io/network-status}'",
    ),
  );
  assert.deepEqual(
    status.map((one: Record<string, unknown>) => [one.name, one.interface, one.ips, one.default]),
    [
      ['polder', 'eth0', [first], true],
      ['default/flannel-conf', 'net1', [second], undefined],
    ],
  );
  // From the node the web server answers at both addresses.
  for (const address of [first, second]) {
    assert.match(await lab.must('shell', 'node1', '--', 'curl', '-s', `http://${address}`), /Welcome to nginx!/);
  }
  await lab.kubectl('kubectl delete pod multi-net-pod --wait=true');
  assert.doesNotMatch(await lab.must('shell', 'node1', '--', 'ip', '-o', 'link', 'show', 'master', 'cni0'), /veth/);
});

const BRIDGES = `apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: { name: blue }
spec:
  config: '{ "cniVersion": "1.0.0", "type": "bridge", "bridge": "br-blue", "capabilities": { "ips": true },
             "ipam": { "type": "host-local", "subnet": "10.71.0.0/24", "dataDir": "/run/polder/lab/LAB/blue" } }'
---
apiVersion: v1
kind: Pod
metadata:
  name: a
  annotations:
    k8s.v1.cni.cncf.io/networks: '[{ "name": "blue", "interface": "data0", "ips": ["10.71.0.10/24"] }]'
spec: { containers: [{ name: app, image: nginx }] }
---
apiVersion: v1
kind: Pod
metadata:
  name: b
  annotations: { k8s.v1.cni.cncf.io/networks: default/blue@data0 }
spec: { containers: [{ name: app, image: busybox, command: [sleep, "3600"] }] }
---
apiVersion: v1
kind: Pod
metadata:
  name: c
  annotations: { k8s.v1.cni.cncf.io/networks: missing }
spec: { containers: [{ name: app, image: busybox, command: [sleep, "3600"] }] }
`;

test('two pods meet on a second bridge; a pod whose network is missing waits for it and says so', {
  skip,
}, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  await lab.kubectl('kubectl apply -f -', BRIDGES.replace('LAB', lab.name));
  await lab.kubectl('kubectl wait --for=condition=Ready pod/a pod/b --timeout=30s');
  assert.match(await lab.kubectl('kubectl exec b -- wget -qO- http://10.71.0.10'), /Welcome to nginx!/);
  assert.match(await lab.kubectl('kubectl exec a -- ip -o addr show data0'), /10\.71\.0\.10\/24/);

  const said = await lab.kubectl(
    'for i in $(seq 30); do kubectl get events | grep FailedCreatePodSandBox && break; sleep 0.5; done',
  );
  assert.match(said, /pod\/c .*there is no NetworkAttachmentDefinition default\/missing/);
  const later = BRIDGES.slice(0, BRIDGES.indexOf('---'))
    .replace('LAB', lab.name)
    .replace('name: blue', 'name: missing');
  await lab.kubectl('kubectl apply -f -', later);
  await lab.kubectl('kubectl wait --for=condition=Ready pod/c --timeout=60s');
  const refused = await lab.tryKubectl('kubectl apply -f -', later.replace("'{", "'["));
  assert.match(refused.stderr, /spec\.config: Invalid value/);
  await lab.kubectl('kubectl delete pod a b c --grace-period=1');
});
