/** Registers the node and keeps saying that it lives: a Lease every few seconds, the status when it changes. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isAlreadyExists, isConflict, isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import { type NodeInput, nodeLabels, nodeObject, nodeStatus } from '#lab/kubelet/node/node-object.ts';
import { LEASES, NODES, type Node } from '#spec/k8s.ts';

const LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;
/** As the kubelet's own defaults, but for the readiness, which a newcomer waits for. */
const LEASE_EVERY_MS = 5_000;
const STATUS_EVERY_MS = 10_000;
const UNREADY_EVERY_MS = 200;
const RETRY_MS = 500;

export interface NodeKeeperOptions {
  readonly client: ApiClient;
  readonly input: Omit<NodeInput, 'notReady'>;
  /** Asks the CNI plugin; undefined when it can take pods, else why not. */
  readonly networkStatus: () => Promise<string | undefined>;
  readonly onReady: (ready: boolean) => void;
  readonly log: Logger;
}

/** Runs until the signal ends it; never rejects. */
export async function keepNode(options: NodeKeeperOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([keepStatus(options, signal), keepLease(options, signal)]);
}

async function keepStatus(options: NodeKeeperOptions, signal: AbortSignal): Promise<void> {
  let sentAt = Number.NEGATIVE_INFINITY;
  let last: string | undefined | null = null;
  while (!signal.aborted) {
    const notReady = await options.networkStatus();
    const isDue = notReady !== last || Date.now() - sentAt >= STATUS_EVERY_MS;
    if (isDue && (await attempt(options, 'status', () => sendStatus(options, notReady)))) {
      if (notReady !== last) options.onReady(notReady === undefined);
      last = notReady;
      sentAt = Date.now();
    }
    await pause(last === null ? RETRY_MS : notReady === undefined ? LEASE_EVERY_MS : UNREADY_EVERY_MS, signal);
  }
}

async function keepLease(options: NodeKeeperOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const sent = await attempt(options, 'lease', () => sendLease(options));
    await pause(sent ? LEASE_EVERY_MS : RETRY_MS, signal);
  }
}

/** Whether it is done; `work` may answer false where it has to be tried again soon. */
async function attempt(
  options: NodeKeeperOptions,
  what: string,
  work: () => Promise<boolean | undefined>,
): Promise<boolean> {
  try {
    return (await work()) !== false;
  } catch (error) {
    options.log.warn({ what, err: error }, 'cannot tell the API of the node');
    return false;
  }
}

async function sendStatus(options: NodeKeeperOptions, notReady: string | undefined): Promise<undefined> {
  const { client } = options;
  const input: NodeInput = { ...options.input, ...(notReady === undefined ? {} : { notReady }) };
  const now = time();
  const known = await client.find(NODES, { name: input.name });
  const node = known ?? (await register(options, input, now));
  const status = nodeStatus(input, node, now);
  const labels = nodeLabels(input);
  if (Object.entries(labels).some(([key, value]) => node.metadata.labels?.[key] !== value)) {
    await client.patch(NODES, { name: input.name }, { metadata: { labels } });
  }
  // The version guards the conditions of others, which a merge patch would replace along with ours.
  const body = { metadata: { resourceVersion: node.metadata.resourceVersion }, status };
  try {
    await client.patch(NODES, { name: input.name }, body, { subresource: 'status' });
  } catch (error) {
    if (!isConflict(error)) throw error;
    const fresh = await client.get(NODES, { name: input.name });
    const again = {
      metadata: { resourceVersion: fresh.metadata.resourceVersion },
      status: nodeStatus(input, fresh, now),
    };
    await client.patch(NODES, { name: input.name }, again, { subresource: 'status' });
  }
}

async function register(options: NodeKeeperOptions, input: NodeInput, now: string): Promise<Node> {
  try {
    return await options.client.create(NODES, nodeObject(input, now));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return options.client.get(NODES, { name: input.name });
  }
}

/** The Lease is the Node's, and goes with it; false before the Node is there. */
async function sendLease({ client, input }: NodeKeeperOptions): Promise<boolean> {
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  const key = { namespace: LEASE_NAMESPACE, name: input.name };
  try {
    await client.patch(LEASES, key, { spec: { renewTime } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const node = await client.find(NODES, { name: input.name });
    if (node?.metadata.uid === undefined) return false;
    const owner = { apiVersion: 'v1', kind: 'Node', name: input.name, uid: node.metadata.uid };
    await client.create(LEASES, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...key, ownerReferences: [owner] },
      spec: { holderIdentity: input.name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    });
  }
  return true;
}

function time(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
