/** What tests of `polder-multi` begin with. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { BRIDGED, bed, pathOf, type ShimAnswer } from '#cni/testing/bed.ts';
import { fakeCluster, networkPath, POD_PATH } from '#cni/testing/fake-cluster.ts';
import { scratchNetns } from '#kernel/testing/scratch-netns.ts';

export const ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';
export const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

interface Status {
  readonly name: string;
  readonly interface: string;
  readonly ips?: readonly string[];
  readonly default?: boolean;
  readonly gateway?: readonly string[];
}

/** A node whose pods may have several networks, an API server with their definitions, and one pod. */
export async function multiNode(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'pt-multi-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const b = await bed(t, BRIDGED);
  const cluster = await fakeCluster(t, dir);
  await b.restart({ kubeconfig: cluster.kubeconfig, coolDownMs: 0 });
  const pod = scratchNetns();
  t.after(() => pod.close());
  const network = (name: string, config: object | string, namespace = 'web') =>
    cluster.objects.set(networkPath(namespace, name), {
      metadata: { name, namespace },
      spec: { config: typeof config === 'string' ? config : JSON.stringify(config) },
    });
  const bridgeOn = (bridge: string, subnet: string, more: object = {}) => ({
    cniVersion: '1.0.0',
    type: 'bridge',
    bridge,
    capabilities: { ips: true, mac: true },
    ipam: { type: 'host-local', subnet, dataDir: join(dir, 'networks') },
    ...more,
  });
  const conf = {
    cniVersion: '1.1.0',
    name: 'cluster-net',
    type: 'polder-multi',
    cniDir: join(dir, 'multi'),
    delegates: [{ cniVersion: '1.0.0', name: 'first', type: 'polder' }],
  };
  const withNetworks = (text: string, more: object = {}) => ({
    ...conf,
    runtimeConfig: { [ANNOTATIONS]: { [NETWORKS]: text, ...more } },
  });
  /** Bridges of the newest version as `delegates`: the first has the pod's default route. */
  const bridges = (text: string, ...more: object[]) => ({
    ...withNetworks(text),
    cniVersion: '1.1.0',
    delegates: [
      bridgeOn('br-first', '10.60.0.0/24', { cniVersion: '1.1.0', name: 'first', isDefaultGateway: true }),
      ...more,
    ],
  });
  /** Each network-status that was written, by interface. */
  const statuses = () =>
    (cluster.patches as { metadata: { annotations: Record<string, string> } }[]).map(({ metadata }) => {
      const list: Status[] = JSON.parse(metadata.annotations['k8s.v1.cni.cncf.io/network-status'] ?? '[]');
      return Object.fromEntries(list.map((one) => [one.interface, one]));
    });
  cluster.objects.set(POD_PATH, { metadata: { name: 'p1', namespace: 'web', uid: 'u1', annotations: {} } });
  const args = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME=p1;K8S_POD_UID=u1';
  const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0', CNI_ARGS: args };
  return { b, dir, cluster, pod, network, bridgeOn, conf, withNetworks, bridges, statuses, env };
}

export function good({ exit, stdout, json }: ShimAnswer): Record<string, unknown> {
  assert.equal(exit, 0, stdout);
  return json ?? {};
}

/** Names of interfaces in the output of `ip -j link`, but for `lo`. */
export function linksOf(text: string): string[] {
  return (JSON.parse(text) as { ifname: string }[])
    .map(({ ifname }) => ifname)
    .filter((name) => name !== 'lo')
    .sort();
}
