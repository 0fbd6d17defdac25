/** The kubelet of the lab: registers its node and runs the pods that are bound to it. */

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { CniRuntime } from '#cni/runtime/runtime.ts';
import { isNotFound } from '#feed/api-error.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { listWatch, Reflector } from '#feed/reflector.ts';
import { ImageStore } from '#lab/images/image-store.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import { apiEventSink, EventRecorder } from '#lab/kubelet/events.ts';
import { startHttp } from '#lab/kubelet/http/server.ts';
import { Components } from '#lab/kubelet/mirror/components.ts';
import { ManifestFolder } from '#lab/kubelet/mirror/manifest-folder.ts';
import { type MirrorApi, MirrorKeeper } from '#lab/kubelet/mirror/mirror-keeper.ts';
import { isStaticUid } from '#lab/kubelet/mirror/static-pod.ts';
import { keepNode } from '#lab/kubelet/node/node-keeper.ts';
import { systemInfo } from '#lab/kubelet/node/system-info.ts';
import type { KubeletOptions } from '#lab/kubelet/options.ts';
import { podKey, RUNNABLE_PODS, type RunnablePod } from '#lab/kubelet/pod.ts';
import { PodManager } from '#lab/kubelet/pod-manager.ts';
import { machineFacts } from '#lab/kubelet/runtime/facts.ts';
import { Layout } from '#lab/kubelet/runtime/layout.ts';
import { findRuntime } from '#lab/kubelet/runtime/oci-runtime.ts';
import { Semaphore } from '#lab/kubelet/semaphore.ts';
import { ApiSources } from '#lab/kubelet/sources.ts';
import { StatusWriter } from '#lab/kubelet/status-writer.ts';
import { isMirror, NODES } from '#spec/k8s.ts';

const PLUGIN_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs until the signal; pods go on without it. @throws PolderError 'runtime-missing' */
export async function runKubelet(options: KubeletOptions, log: Logger, signal: AbortSignal): Promise<void> {
  const runDir = dirname(options.socket);
  const layout = new Layout(options.root, runDir);
  for (const folder of [layout.root, layout.pods, layout.runtimeRoot, options.imageDir])
    mkdirSync(folder, { recursive: true });
  const facts = machineFacts();
  const runtime = await findRuntime(layout.runtimeRoot, facts.capabilities);
  log.info({ runtime: runtime.program, version: runtime.version }, 'container runtime');
  using client = new ApiClient(loadKubeconfig(options.kubeconfig));
  const sources = new ApiSources(client);
  const cni = cniRuntime(options);
  const writer = new StatusWriter(
    (pod, status) => sendStatus(client, pod, status),
    (pod, error) => log.warn({ pod: podKey(pod), err: error }, 'cannot send the status'),
  );
  using mirrors = new MirrorKeeper(options.node, mirrorApi(client, options.node), writer, log);
  const ctx: KubeletContext = {
    options,
    layout,
    runtime,
    cni,
    sources,
    log,
    images: new ImageStore(options.imageDir, join(options.nativeDir, 'pause')),
    events: new EventRecorder(apiEventSink(client), options.node),
    statuses: statusesTo(writer, mirrors),
    facts,
    programs: { pause: join(options.nativeDir, 'pause'), tend: join(options.nativeDir, 'tend') },
    podIp: (uid) => manager.byUid(uid)?.sandbox?.ips?.[0],
    starting: new Semaphore(startLimit(facts.cpus)),
    release: (pod) => (isStaticUid(pod.metadata.uid) ? Promise.resolve() : release(client, pod)),
  };
  using manager = new PodManager(ctx);
  manager.restore();
  const components = componentsOf(options, mirrors, log);
  await using _http = await startHttp(ctx, manager, components);
  using _manifests = manifests(ctx, manager, mirrors);
  const pods = new Reflector(listWatch(client, RUNNABLE_PODS, { fieldSelector: `spec.nodeName=${options.node}` }), {
    onError: (source, error, waitMs) => log.warn({ source, err: error, waitMs }, 'the API does not answer'),
  });
  using _feed = feed(pods, manager, mirrors);
  const node = keepNode(
    {
      client,
      log,
      input: {
        name: options.node,
        ips: options.nodeIps,
        labels: options.labels,
        taints: options.taints,
        cpus: ctx.facts.cpus,
        memory: ctx.facts.memory,
        maxPods: options.maxPods,
        info: systemInfo(options.node, runtime),
      },
      networkStatus: () => networkStatus(cni),
      onReady: (ready) => {
        log.info({ ready }, 'node');
        const reason = ready ? 'NodeReady' : 'NodeNotReady';
        ctx.events.node('Normal', reason, `Node ${options.node} status is now: ${reason}`);
      },
    },
    signal,
  );
  await Promise.all([node, pods.run(signal), sources.run(signal), components?.run(signal)]);
  writer.close();
}

/** What a static pod becomes is told by its mirror. */
function statusesTo(writer: StatusWriter, mirrors: MirrorKeeper): KubeletContext['statuses'] {
  const keeperOf = (uid: string) => (isStaticUid(uid) ? mirrors : writer);
  return {
    submit: (pod, status, lingers) => keeperOf(pod.metadata.uid).submit(pod, status, lingers),
    forget: (uid) => keeperOf(uid).forget(uid),
  };
}

function mirrorApi(client: ApiClient, node: string): MirrorApi {
  return {
    nodeUid: async () => (await client.get(NODES, { name: node })).metadata.uid ?? '',
    create: (mirror) => client.create(RUNNABLE_PODS, mirror),
    remove: ({ metadata: { namespace, name, uid } }) =>
      client.delete(RUNNABLE_PODS, { namespace, name }, { gracePeriodSeconds: 0, uid }),
  };
}

function componentsOf(options: KubeletOptions, mirrors: MirrorKeeper, log: Logger): Components | undefined {
  const { supervisor: socket, node, nodeIps } = options;
  return socket === undefined ? undefined : new Components({ socket, node, nodeIps, log }, mirrors);
}

function manifests(ctx: KubeletContext, manager: PodManager, mirrors: MirrorKeeper): Disposable | undefined {
  const { manifestDir, node } = ctx.options;
  if (manifestDir === undefined) return undefined;
  return new ManifestFolder(manifestDir, node, {
    pods(pods) {
      manager.keepStatic(pods);
      mirrors.want('files', pods);
    },
    bad(path, why) {
      const message = `Cannot make a static pod of ${path}: ${why}`;
      ctx.log.warn(message);
      ctx.events.node('Warning', 'InvalidStaticPod', message);
    },
  });
}

/** Starting a container is nearly all CPU time: more at once than there are CPUs only makes all of them late. */
function startLimit(cpus: number): number {
  return Math.max(2, cpus);
}

function cniRuntime(options: KubeletOptions): CniRuntime {
  return new CniRuntime({
    confDir: options.cniConf,
    binDirs: [...options.cniBin],
    cacheDir: options.cniCache,
    env: { PATH: PLUGIN_PATH, POLDER_CNI_SOCKET: options.cniSocket },
  });
}

async function networkStatus(cni: CniRuntime): Promise<string | undefined> {
  try {
    await cni.status();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The uid guards a later pod of the same name. */
function sendStatus(client: ApiClient, pod: RunnablePod, status: object): Promise<unknown> {
  const { namespace, name, uid } = pod.metadata;
  return client.patch(RUNNABLE_PODS, { namespace, name }, { metadata: { uid }, status }, { subresource: 'status' });
}

/** What is gone already needs no release. */
async function release(client: ApiClient, pod: RunnablePod): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  try {
    await client.delete(RUNNABLE_PODS, { namespace, name }, { gracePeriodSeconds: 0, uid });
  } catch (error) {
    if (isNotFound(error) || isReplaced(error)) return;
    throw error;
  }
}

/** 409: the uid is another's. */
function isReplaced(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 409;
}

function feed(pods: Reflector<RunnablePod>, manager: PodManager, mirrors: MirrorKeeper): Disposable {
  const keeperOf = (pod: RunnablePod) => (isMirror(pod) ? mirrors : manager);
  return pods.onChange((event) => {
    if (event.type === 'set') {
      const { object, previous } = event;
      // A pod that came back under its name within one look is another pod.
      if (previous && previous.metadata.uid !== object.metadata.uid) keeperOf(previous).delete(previous);
      keeperOf(object).set(object);
    } else if (event.type === 'delete') keeperOf(event.object).delete(event.object);
    else {
      manager.keepOnly(new Set(pods.store.values().map((pod) => pod.metadata.uid)));
      mirrors.synced();
    }
  });
}
