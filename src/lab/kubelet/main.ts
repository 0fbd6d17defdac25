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
  const ctx: KubeletContext = {
    options,
    layout,
    runtime,
    cni,
    sources,
    log,
    images: new ImageStore(options.imageDir, join(options.nativeDir, 'pause')),
    events: new EventRecorder(apiEventSink(client), options.node),
    statuses: new StatusWriter(
      (pod, status) => sendStatus(client, pod, status),
      (pod, error) => log.warn({ pod: podKey(pod), err: error }, 'cannot send the status'),
    ),
    facts,
    programs: { pause: join(options.nativeDir, 'pause'), tend: join(options.nativeDir, 'tend') },
    podIp: (uid) => manager.byUid(uid)?.sandbox?.ips?.[0],
    starting: new Semaphore(startLimit(facts.cpus)),
    release: (pod) => release(client, pod),
  };
  using manager = new PodManager(ctx);
  manager.restore();
  await using _http = await startHttp(ctx, manager);
  const pods = new Reflector(listWatch(client, RUNNABLE_PODS, { fieldSelector: `spec.nodeName=${options.node}` }), {
    onError: (source, error, waitMs) => log.warn({ source, err: error, waitMs }, 'the API does not answer'),
  });
  using _feed = feed(pods, manager);
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
  await Promise.all([node, pods.run(signal), sources.run(signal)]);
  ctx.statuses.close();
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

function feed(pods: Reflector<RunnablePod>, manager: PodManager): Disposable {
  return pods.onChange((event) => {
    if (event.type === 'set') {
      // A pod that came back under its name within one look is another pod.
      if (event.previous && event.previous.metadata.uid !== event.object.metadata.uid) manager.delete(event.previous);
      manager.set(event.object);
    } else if (event.type === 'delete') manager.delete(event.object);
    else manager.keepOnly(new Set(pods.store.values().map((pod) => pod.metadata.uid)));
  });
}
