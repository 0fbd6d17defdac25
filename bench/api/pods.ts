/** A pod as a Deployment makes it, with what kubelets and controllers add: about 3 kB of JSON with its managedFields. */

import type { Pod } from '#spec/k8s.ts';

export const NAMESPACE = 'default';
/** Milliseconds since 1970, with fractions, at which the write was sent. */
export const SENT = 'bench.polder.dev/sent';

/** Wall-clock milliseconds with fractions: two processes of one machine compare them. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

export function benchPod(name: string): Pod {
  const labels = { app: 'web', 'pod-template-hash': '7d4b9c6f5d', tier: 'front', release: 'r1' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels, annotations: { [SENT]: `${wallClock()}` } },
    spec: {
      // No node of this name is there: nobody touches them.
      nodeName: `node-${name.length}`,
      containers: [
        {
          name: 'web',
          image: 'nginx:1.27',
          ports: [{ name: 'http', containerPort: 80 }],
          env: [
            { name: 'LOG_LEVEL', value: 'info' },
            { name: 'UPSTREAM', value: 'http://backend.default.svc.cluster.local:8080' },
          ],
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        },
      ],
    },
  };
}
