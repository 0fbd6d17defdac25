/** BGPPeers, route reflectors and passwords in a lab, with kubectl. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, type TestLab, testLab } from '#test/support/lab.ts';
import { polder } from '#test/support/polder.ts';
import { birdPid, losesNothing, noBgpLab, startPod, whenUp } from './support.ts';

const skip = noBgpLab;

function applied(lab: TestLab, ...objects: readonly object[]): Promise<string> {
  return lab.kubectl(
    `cat << 'EOF' | kubectl apply -f -\n${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })}\nEOF`,
  );
}

function calico(kind: string, name: string, spec: object): object {
  return { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec };
}

const secret = (data: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'bgp-secrets', namespace: 'kube-system' },
  stringData: data,
});
const password = (key: string) => ({ password: { secretKeyRef: { name: 'bgp-secrets', key } } });

/** Waits until `polder bgp status` says it. */
function says(lab: TestLab, node: string, what: RegExp): Promise<string> {
  return eventually(`${node} says ${what}`, async () => {
    const ran = await polder(['bgp', 'status', '--name', lab.name, '--node', node]);
    return what.test(ran.stdout) ? ran.stdout : undefined;
  });
}

test('from the mesh to a route reflector with a password, and no packet is lost', { skip }, async () => {
  await using lab = await testLab('up', '--profile', 'calico-bgp');
  await startPod(lab, 'a', 'node1');
  const to = await startPod(lab, 'b', 'node2');
  const pids = ['node1', 'node2', 'node3'].map((node) => birdPid(lab, node));
  await losesNothing(lab, 'a', to, async () => {
    await lab.kubectl(
      'kubectl label node node3 route-reflector=true && kubectl annotate node node3 projectcalico.org/RouteReflectorClusterID=244.0.0.1',
    );
    const clients = { nodeSelector: '!has(route-reflector)', peerSelector: 'has(route-reflector)', ...password('rr') };
    await applied(lab, secret({ rr: 'sesame' }), calico('BGPPeer', 'reflectors', clients));
    await whenUp(lab, 'node3', ['Node_192_168_1_101', 'Node_192_168_1_102']);
    await applied(lab, calico('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false }));
    await whenUp(lab, 'node1', ['Node_192_168_1_103']);
    await whenUp(lab, 'node2', ['Node_192_168_1_103']);
  });
  await lab.must('verify');
  assert.deepEqual(
    ['node1', 'node2', 'node3'].map((node) => birdPid(lab, node)),
    pids,
    'no BIRD was started anew',
  );
});

test('wrong, missing and unwanted passwords, and peers that cannot be, each get a sentence', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '2', '--profile', 'calico-bgp');
  const between = (node: string, peerIP: string, more: object) =>
    calico('BGPPeer', `to-${peerIP}`, { node, peerIP, asNumber: 64_512, ...more });
  await applied(
    lab,
    secret({ one: 'sesame', other: 'mellon' }),
    between('node1', '192.168.1.102', password('one')),
    between('node2', '192.168.1.101', password('other')),
  );
  await says(
    lab,
    'node1',
    /do not come together: packets come whose TCP MD5 signature is not by the password in Secret kube-system\/bgp-secrets, key one/,
  );
  await applied(lab, secret({ one: 'sesame', other: 'sesame' }));
  await whenUp(lab, 'node1', ['Node_192_168_1_102']);
  await says(lab, 'node1', /192\.168\.1\.102 \| node specific +\| up .*Established/);

  await applied(lab, between('node1', '192.168.1.102', password('none')));
  await says(
    lab,
    'node1',
    /does not speak with BGPPeer to-192\.168\.1\.102: Secret kube-system\/bgp-secrets with key none is not there/,
  );
  await applied(lab, between('node1', '192.168.1.101', {}));
  await says(lab, 'node1', /BGPPeer to-192\.168\.1\.101 has the address 192\.168\.1\.101 of node node1 itself/);

  const object = JSON.stringify(calico('BGPPeer', 'far', { peerIP: '192.168.1.9', asNumber: 4_294_967_295 }));
  const refused = await lab.tryKubectl(`cat << 'EOF' | kubectl apply -f -\n${object}\nEOF`);
  assert.match(refused.stderr, /spec\.asNumber: Invalid value: .*must be an AS number: 1 to 4294967294/);
});
