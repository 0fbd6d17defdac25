/** The controllers against the real API server, with a stand-in for kubelets. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { listWatch, Reflector } from '#feed/reflector.ts';
import { sharedReflectors } from '#feed/shared.ts';
import { SnapshotFeed, snapshotSources } from '#feed/snapshot.ts';
import { parsePrefix } from '#net/prefix.ts';
import { runApiServer } from '#serve/api/main.ts';
import { runController } from '#serve/controller/main.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import {
  CONFIG_MAPS,
  conditionOf,
  DAEMON_SETS,
  type DaemonSet,
  EVENTS,
  type KubeObject,
  keyOf,
  NAMESPACES,
  NODES,
  type Node,
  PODS,
  type Pod,
  type Resource,
  SERVICE_ACCOUNTS,
} from '#spec/k8s.ts';
import { DEPLOYMENTS, type Deployment, REPLICA_SETS } from '#spec/workloads.ts';

interface Cluster extends AsyncDisposable {
  readonly client: ApiClient;
  /** Ends the API server, waits, and starts it again on the same port and store. */
  outage(ms: number): Promise<void>;
  /** Waits until the object is as wanted; a missing object is undefined. */
  until<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
    holds: (object: T | undefined) => boolean,
  ): Promise<T | undefined>;
  /** Waits until the kind's objects are as wanted. */
  all<T extends KubeObject>(resource: Resource<T>, holds: (objects: readonly T[]) => boolean): Promise<readonly T[]>;
}

const UNREACHABLE = { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' } as const;
const log = pino({ level: 'silent' });

/** API server, controllers, and kubelets that run and end pods at once. */
async function cluster(): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), 'pt-control-'));
  const stop = new AbortController();
  let api = await startApi(directory, 0);
  const config = loadKubeconfig(join(directory, 'kubeconfig'));
  const client = new ApiClient(config);
  const controllers = runController(
    {
      api: config,
      clusterCidrs: [parsePrefix('10.244.0.0/16')],
      nodeCidrSize: { 4: 24, 6: 64 },
      graceMs: 1_000,
      orphanGraceMs: 0,
      log,
    },
    stop.signal,
  );
  const kubelets = runKubelets(client, stop.signal);
  const waits = { until: untilOf(client, stop.signal), all: allOf(client, stop.signal) };
  return {
    client,
    ...waits,
    async outage(ms) {
      await api.end();
      await delay(ms);
      api = await startApi(directory, api.port);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all([controllers, kubelets]);
      client.close();
      await api.end();
      rmSync(directory, { recursive: true });
    },
  };
}

async function startApi(dataDir: string, port: number): Promise<{ readonly port: number; end(): Promise<void> }> {
  const stop = new AbortController();
  const ready = Promise.withResolvers<number>();
  const listen = [{ host: '127.0.0.1', port }];
  const onReady = (addresses: readonly { readonly port: number }[]) => ready.resolve(addresses[0]?.port ?? 0);
  const kubeletSocketPattern = join(dataDir, '{node}.sock');
  const run = runApiServer({ dataDir, listen, kubeletSocketPattern, log, onReady }, stop.signal);
  run.catch(ready.reject);
  return {
    port: await ready.promise,
    end() {
      stop.abort();
      return run;
    },
  };
}

/** What bound pods need to run, and pods that are being deleted to end. */
async function runKubelets(client: ApiClient, signal: AbortSignal): Promise<void> {
  const pods = new Reflector(listWatch(client, PODS));
  pods.onChange((event) => {
    if (event.type === 'set') void attend(client, event.object).catch(() => {});
  });
  await pods.run(signal);
}

async function attend(client: ApiClient, pod: Pod): Promise<void> {
  const { namespace = '', name = '', deletionTimestamp } = pod.metadata;
  if (!pod.spec.nodeName || pod.spec.nodeName === 'dead') return;
  if (deletionTimestamp !== undefined) await client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 });
  else if (pod.status?.phase !== 'Running') {
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }];
    await client.patch(
      PODS,
      { namespace, name },
      { status: { phase: 'Running', conditions } },
      { subresource: 'status' },
    );
  }
}

function allOf(client: ApiClient, stop: AbortSignal): Cluster['all'] {
  return async (resource, holds) => {
    const found = new AbortController();
    const objects = new Reflector(listWatch(client, resource));
    const deadline = AbortSignal.timeout(15_000);
    objects.onChange(() => {
      if (objects.synced && holds(objects.store.values())) found.abort();
    });
    await objects.run(AbortSignal.any([found.signal, stop, deadline]));
    assert.ok(found.signal.aborted, `not in time: ${JSON.stringify(objects.store.values(), null, 1)}`);
    return objects.store.values();
  };
}

function untilOf(client: ApiClient, stop: AbortSignal): Cluster['until'] {
  return async (resource, namespace, name, holds) => {
    const key = namespace === '' ? name : `${namespace}/${name}`;
    const find = <T extends KubeObject>(objects: readonly T[]) => objects.find((object) => keyOf(object) === key);
    return find(await allOf(client, stop)(resource, (objects) => holds(find(objects))));
  };
}

async function addNode(client: ApiClient, name: string): Promise<void> {
  await client.create(NODES, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  });
  await beat(client, name);
}

async function beat(client: ApiClient, name: string): Promise<void> {
  const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() }];
  const addresses = [{ type: 'InternalIP', address: `192.168.1.10${name.slice(-1)}` }];
  const allocatable = { cpu: '2', memory: '4Gi', pods: '110' };
  await client.patch(NODES, { name }, { status: { conditions, allocatable, addresses } }, { subresource: 'status' });
}

/** Heartbeats of all nodes but those that are meant to be dead. */
function beating(client: ApiClient, names: readonly string[]): Disposable {
  const timer = setInterval(() => {
    for (const name of names) void beat(client, name).catch(() => {});
  }, 300);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const pod = (name: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'default', name, labels: { run: name } },
  spec: { containers: [{ name: 'main', image: 'busybox' }], ...spec },
});

const network = (image: string): DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { namespace: 'default', name: 'network-test' },
  spec: {
    selector: { matchLabels: { app: 'network-test' } },
    template: { metadata: { labels: { app: 'network-test' } }, spec: { containers: [{ name: 'test', image }] } },
  },
});

const THREE = ['node1', 'node2', 'node3'];
const isReady = (node: Node) => conditionOf(node.status?.conditions, 'Ready')?.status === 'True';

test('a cluster comes to life: namespaces, accounts, networks, pods, daemons, and their end', {
  timeout: 60_000,
}, async (t) => {
  await using world = await cluster();
  const { client } = world;
  await world.until(SERVICE_ACCOUNTS, 'default', 'default', (account) => account !== undefined);
  await client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: CONFIG_MAP,
    data: { profile: 'vxlan' },
  });
  for (const name of ['node3', 'node1', 'node2']) await addNode(client, name);
  using _beats = beating(client, THREE);

  await t.test('nodes get their networks', async () => {
    const nodes = await world.all(
      NODES,
      (all) => all.length === 3 && all.every((n) => n.spec?.podCIDR !== undefined && isReady(n)),
    );
    assert.deepEqual(nodes.map((n) => `${n.metadata.name} ${n.spec?.podCIDRs?.join()}`).sort(), [
      'node1 10.244.1.0/24',
      'node2 10.244.2.0/24',
      'node3 10.244.3.0/24',
    ]);
  });

  await t.test('a snapshot of it is fed', async () => {
    const stop = new AbortController();
    const feed = new SnapshotFeed(snapshotSources(client, sharedReflectors(client)), {
      node: 'node1',
      endpoints: () => [],
    });
    feed.onSnapshot((snapshot) => {
      if (snapshot.nodes.length === 3) stop.abort();
    });
    await feed.run(AbortSignal.any([stop.signal, AbortSignal.timeout(5_000)]));
    assert.deepEqual(feed.current?.config.clusterCidrs, ['10.244.0.0/16']);
  });

  await t.test('a burst of pods is spread and runs', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `p${i}`);
    await Promise.all(names.map((name) => client.create(PODS, pod(name))));
    const pods = await world.all(PODS, (all) => all.length === 30 && all.every((p) => p.status?.phase === 'Running'));
    const counts = Map.groupBy(pods, (p) => p.spec.nodeName);
    assert.deepEqual(
      [...counts.values()].map((list) => list.length),
      [10, 10, 10],
    );
    await Promise.all(names.map((name) => client.delete(PODS, { namespace: 'default', name })));
    await world.all(PODS, (all) => all.length === 0);
  });

  await t.test('a pod that fits nowhere says why, in its status and in an event', async () => {
    await client.create(PODS, pod('picky', { nodeSelector: { disk: 'ssd' } }));
    const message = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.";
    const said = (p: Pod | undefined) => conditionOf(p?.status?.conditions, 'PodScheduled')?.message === message;
    await world.until(PODS, 'default', 'picky', said);
    await world.all(EVENTS, (events) => events.some((e) => e.reason === 'FailedScheduling' && e.message === message));
    await client.patch(NODES, { name: 'node2' }, { metadata: { labels: { disk: 'ssd' } } });
    const bound = await world.until(PODS, 'default', 'picky', (p) => p?.spec.nodeName !== undefined);
    assert.equal(bound?.spec.nodeName, 'node2');
    await client.delete(PODS, { namespace: 'default', name: 'picky' });
  });

  await t.test('a DaemonSet runs everywhere, rolls on, and goes with all its pods', async () => {
    await client.create(DAEMON_SETS, network('busybox'));
    const available = (set: DaemonSet | undefined) =>
      set?.status?.numberAvailable === 3 && set.status.updatedNumberScheduled === 3;
    await world.until(DAEMON_SETS, 'default', 'network-test', available);
    const template = network('nginx').spec.template;
    await client.patch(DAEMON_SETS, { namespace: 'default', name: 'network-test' }, { spec: { template } });
    await world.until(
      DAEMON_SETS,
      'default',
      'network-test',
      (set) => set?.status?.observedGeneration === 2 && available(set),
    );
    const { items } = await client.list(PODS, { namespace: 'default', labelSelector: 'app=network-test' });
    assert.deepEqual(
      items.map((p) => p.spec.containers[0]?.image),
      ['nginx', 'nginx', 'nginx'],
    );
    await client.delete(
      DAEMON_SETS,
      { namespace: 'default', name: 'network-test' },
      { propagationPolicy: 'Background' },
    );
    await world.all(PODS, (all) => !all.some((p) => p.metadata.name?.startsWith('network-test')));
  });

  await t.test('a Deployment rolls on, keeps its history, and goes with all that it made', async () => {
    const key = { namespace: 'default', name: 'web' };
    const template = (image: string) => ({
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image }] },
    });
    const spec = { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template('busybox') };
    const deployment: Deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: key, spec };
    await client.create(DEPLOYMENTS, deployment);
    const rolledOut = (generation: number) => (web: Deployment | undefined) =>
      web?.status?.observedGeneration === generation &&
      web.status.updatedReplicas === 2 &&
      web.status.replicas === 2 &&
      conditionOf(web.status.conditions, 'Available')?.status === 'True';
    await world.until(DEPLOYMENTS, 'default', 'web', rolledOut(1));
    await client.patch(DEPLOYMENTS, key, { spec: { template: template('nginx') } });
    await world.until(DEPLOYMENTS, 'default', 'web', rolledOut(2));
    const sets = (await client.list(REPLICA_SETS, { namespace: 'default' })).items;
    assert.deepEqual(sets.map((set) => set.spec.replicas).sort(), [0, 2]);
    await client.delete(DEPLOYMENTS, key, { propagationPolicy: 'Foreground' });
    await world.until(DEPLOYMENTS, 'default', 'web', (web) => web === undefined);
    await world.all(REPLICA_SETS, (all) => all.length === 0);
    await world.all(PODS, (all) => !all.some((p) => p.metadata.name?.startsWith('web-')));
  });

  await t.test('a namespace that is deleted takes everything in it along', async () => {
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dev' } });
    await world.until(SERVICE_ACCOUNTS, 'dev', 'default', (account) => account !== undefined);
    await client.create(PODS, { ...pod('web'), metadata: { namespace: 'dev', name: 'web' } });
    await world.until(PODS, 'dev', 'web', (p) => p?.status?.phase === 'Running');
    await client.delete(NAMESPACES, { name: 'dev' });
    await world.until(NAMESPACES, '', 'dev', (namespace) => namespace === undefined);
    assert.equal((await client.list(PODS, { namespace: 'dev' })).items.length, 0);
  });

  await t.test('a node that falls silent is lost, its pods leave, and go for good with the node', async () => {
    await addNode(client, 'dead');
    const tolerations = [{ ...UNREACHABLE, tolerationSeconds: 0 }];
    await client.create(PODS, pod('stranded', { nodeName: 'dead', tolerations }));
    const lost = await world.until(
      NODES,
      '',
      'dead',
      (n) => conditionOf(n?.status?.conditions, 'Ready')?.status === 'Unknown' && (n?.spec?.taints?.length ?? 0) === 2,
    );
    assert.deepEqual(
      lost?.spec?.taints?.map((taint) => taint.effect),
      ['NoSchedule', 'NoExecute'],
    );
    await world.until(PODS, 'default', 'stranded', (p) => p?.metadata.deletionTimestamp !== undefined);
    await client.delete(NODES, { name: 'dead' });
    await world.until(PODS, 'default', 'stranded', (p) => p === undefined);
    const others = (await client.list(NODES)).items;
    assert.ok(others.every(isReady));
  });
});

test('while the API server is away nothing is concluded, and after it all goes on', { timeout: 60_000 }, async () => {
  await using world = await cluster();
  const { client } = world;
  for (const name of THREE) await addNode(client, name);
  using _beats = beating(client, THREE);
  await client.create(DAEMON_SETS, network('busybox'));
  const available = (set: DaemonSet | undefined) => set?.status?.numberAvailable === 3;
  await world.until(DAEMON_SETS, 'default', 'network-test', available);
  const before = (await client.list(PODS)).items.map((p) => p.metadata.uid).sort();

  // Longer than the grace of a silent node: silence that nobody could hear does not count.
  await world.outage(1_500);
  await client.create(PODS, pod('after'));
  await world.until(PODS, 'default', 'after', (p) => p?.status?.phase === 'Running');
  const { items } = await client.list(PODS, { labelSelector: 'app=network-test' });
  assert.deepEqual(items.map((p) => p.metadata.uid).sort(), before);
  const events = (await client.list(EVENTS)).items;
  assert.deepEqual(
    events.filter((event) => event.reason === 'NodeNotReady'),
    [],
  );
});
