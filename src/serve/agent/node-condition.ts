/** Tells the cluster that this node's pod network stands. */

import type { ApiClient } from '#feed/client.ts';
import { type Condition, NODES } from '#spec/k8s.ts';

/**
 * Sets the Node's condition NetworkUnavailable to False, as every network provider does (Kubernetes API, NodeCondition);
 * until then the scheduler keeps pods away by a taint. @throws ApiError, ApiUnreachable
 */
export async function publishNetworkAvailable(client: ApiClient, node: string, now: Date): Promise<void> {
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const condition: Condition & { lastHeartbeatTime: string } = {
    type: 'NetworkUnavailable',
    status: 'False',
    reason: 'PolderIsUp',
    message: 'The Polder agent has programmed the routes of this node',
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  };
  await client.patch(
    NODES,
    { name: node },
    { status: { conditions: [condition] } },
    {
      type: 'strategic',
      subresource: 'status',
    },
  );
}
