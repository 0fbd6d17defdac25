/** Services with externalTrafficPolicy Local, and what BIRD says of them: in a lab, with kubectl. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddr } from '#net/addr.ts';
import { hostPrefix, parsePrefix } from '#net/prefix.ts';
import { eventually, type TestLab, testLab } from '#test/support/lab.ts';
import { birdRoutes, noBgpLab, onNode } from './support.ts';

const EXTERNAL = '203.0.113.7';
const BALANCED = '198.51.100.9';

function applied(lab: TestLab, ...items: readonly object[]): Promise<string> {
  return lab.kubectl('kubectl apply -f -', JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

function pod(name: string, node: string, ready: boolean): object {
  const readinessProbe = { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1 };
  const command = ['sh', '-c', `${ready ? 'touch /tmp/ready; ' : ''}sleep 3600`];
  const container = { name: 'c', image: 'nicolaka/netshoot', command, readinessProbe };
  const metadata = { name, labels: { app: 'web' } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node, containers: [container] } };
}

/** From where node3 hears of the address, by BGP alone. */
async function heardFrom(lab: TestLab, addr: string): Promise<string[]> {
  const routes = await birdRoutes(lab, 'node3');
  const ways = routes.filter(({ net }) => net === hostPrefix(parseAddr(addr)));
  return ways.map(({ proto }) => proto).sort();
}

function says(lab: TestLab, addr: string, ...from: string[]): Promise<true> {
  return eventually(`${addr} is heard from ${from.join(', ') || 'nobody'}`, async () => {
    const heard = await heardFrom(lab, addr);
    return JSON.stringify(heard) === JSON.stringify(from) ? true : undefined;
  });
}

test('only nodes with a ready endpoint announce the addresses of a Local Service', { skip: noBgpLab }, async () => {
  await using lab = await testLab('up', '--profile', 'calico-bgp');
  const configuration = {
    serviceExternalIPs: [{ cidr: '203.0.113.0/24' }],
    serviceLoadBalancerIPs: [{ cidr: '198.51.100.0/24' }],
  };
  const spec = {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    selector: { app: 'web' },
    ports: [{ port: 80 }],
    externalIPs: [EXTERNAL],
  };
  await applied(
    lab,
    {
      apiVersion: 'projectcalico.org/v3',
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
      spec: configuration,
    },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec },
    pod('one', 'node1', true),
    pod('two', 'node2', false),
  );
  await says(lab, EXTERNAL, 'Mesh_192_168_1_101');
  assert.deepEqual(await heardFrom(lab, BALANCED), [], 'no load balancer has given it');
  const ingress = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: BALANCED }] } } });
  await lab.kubectl(`kubectl patch service web --subresource=status --type=merge -p '${ingress}'`);
  await says(lab, BALANCED, 'Mesh_192_168_1_101');

  await lab.kubectl('kubectl exec two -- touch /tmp/ready');
  await says(lab, EXTERNAL, 'Mesh_192_168_1_101', 'Mesh_192_168_1_102');
  await lab.kubectl('kubectl delete pod one --now');
  await says(lab, EXTERNAL, 'Mesh_192_168_1_102');
  assert.match(await onNode(lab, 'node3', `ip route get ${EXTERNAL}`), /via 192\.168\.1\.102 /);

  const all = JSON.stringify({ spec: { externalTrafficPolicy: 'Cluster' } });
  await lab.kubectl(`kubectl patch service web --type=merge -p '${all}'`);
  await says(lab, EXTERNAL);
  await says(lab, BALANCED);
  const whole = (await birdRoutes(lab, 'node3')).filter(({ net }) => net === parsePrefix('203.0.113.0/24'));
  assert.ok(
    whole.some(({ proto }) => proto === 'own4'),
    'the network stays',
  );
});
