/** Waiting until the cluster is of use: its API answers, and its nodes are ready. Nothing here polls. */

import { existsSync, mkdirSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isAlreadyExists } from '#feed/api-error.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { labPaths } from '#lab/names.ts';
import { clusterCidrs, type LabSpec } from '#lab/spec.ts';
import { FELIX_CONFIGURATIONS } from '#spec/calico.ts';
import { PROFILES } from '#spec/cluster.ts';
import { CONFIG_MAP, configData } from '#spec/config.ts';
import { CONFIG_MAPS, conditionOf, NAMESPACES, NODES, type Node } from '#spec/k8s.ts';

/** Resolves when the file exists. Rejects with the signal's reason. */
export function whenFile(file: string, signal: AbortSignal): Promise<void> {
  if (existsSync(file)) return Promise.resolve();
  mkdirSync(dirname(file), { recursive: true });
  return new Promise((resolve, reject) => {
    const watcher = watch(dirname(file), (_, name) => {
      if (name === basename(file) && existsSync(file)) end(resolve);
    });
    const aborted = () => end(() => reject(signal.reason));
    const end = (how: () => void) => {
      watcher.close();
      signal.removeEventListener('abort', aborted);
      how();
    };
    signal.addEventListener('abort', aborted);
    if (signal.aborted) aborted();
    else if (existsSync(file)) end(resolve); // it came between the first look and the watch
  });
}

/** A client of the lab's API, once that has written its kubeconfig. The caller closes it. `answerMs`: the longest wait for an answer. */
export async function labClient(lab: string, signal: AbortSignal, answerMs?: number): Promise<ApiClient> {
  const { kubeconfig } = labPaths(lab);
  await whenFile(kubeconfig, signal);
  return new ApiClient(loadKubeconfig(kubeconfig), answerMs === undefined ? {} : { timeoutMs: answerMs });
}

/** Writes the cluster's settings, unless they are there: a user's changes stay. */
export async function ensureConfig(client: ApiClient, spec: LabSpec): Promise<void> {
  const data = configData({
    profile: PROFILES[spec.profile],
    clusterCidrs: clusterCidrs(spec),
    masquerade: spec.masquerade,
    mtu: 0,
  });
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CONFIG_MAP.namespace } };
  await unlessThere(client.create(NAMESPACES, namespace));
  // What people patch, as `kubectl patch felixconfiguration default`.
  const felix = { apiVersion: 'crd.projectcalico.org/v1', kind: 'FelixConfiguration', metadata: { name: 'default' } };
  await unlessThere(client.create(FELIX_CONFIGURATIONS, { ...felix, spec: {} }));
  await unlessThere(client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: CONFIG_MAP, data }));
}

async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/** Whether pods can run on it and reach others: the kubelet is ready, it has a network, and the network is there. */
export function isReady(node: Node): boolean {
  const is = (type: string) => conditionOf(node.status?.conditions, type)?.status;
  return is('Ready') === 'True' && is('NetworkUnavailable') === 'False' && node.spec?.podCIDR !== undefined;
}

/** Resolves when all these nodes are ready; tells of each as it becomes so. Rejects with the signal's reason. */
export async function whenNodesReady(
  client: ApiClient,
  names: readonly string[],
  signal: AbortSignal,
  tell: (node: Node) => void,
): Promise<void> {
  const waiting = new Set(names);
  while (waiting.size > 0) {
    for await (const event of client.watch(NODES, { signal })) {
      if (event.type === 'BOOKMARK' || event.type === 'DELETED' || !isReady(event.object)) continue;
      if (waiting.delete(event.object.metadata.name ?? '')) tell(event.object);
      if (waiting.size === 0) return;
    }
    signal.throwIfAborted();
  }
}
