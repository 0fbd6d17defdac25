/** Starting a container: everything that its specification needs is looked up, then the runtime gets it. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ResolvedImage } from '#lab/images/image-store.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import type { PodContainer, RunnablePod } from '#lab/kubelet/pod.ts';
import { argsOf } from '#lab/kubelet/runtime/command.ts';
import {
  type ContainerMeta,
  type ContainerRecord,
  makeBundle,
  readContainer,
  startContainer,
} from '#lab/kubelet/runtime/container.ts';
import { ConfigError, environmentOf, type PodFacts } from '#lab/kubelet/runtime/env.ts';
import { newId } from '#lab/kubelet/runtime/ids.ts';
import { type Bind, type HiddenPath, ociSpec } from '#lab/kubelet/runtime/oci-spec.ts';
import type { Sandbox } from '#lab/kubelet/runtime/sandbox.ts';
import { readUser } from '#lab/kubelet/runtime/user.ts';
import { type Bytes, referencesOf } from '#lab/kubelet/sources.ts';
import { bindsOf, memoryVolumes } from '#lab/kubelet/volumes/volumes.ts';
import { parseQuantity } from '#spec/quantity.ts';

export interface StartRequest {
  readonly pod: RunnablePod;
  readonly container: PodContainer;
  readonly attempt: number;
  readonly image: ResolvedImage;
  readonly sandbox: Sandbox;
  readonly volumes: ReadonlyMap<string, string>;
  /** A process whose PID namespace the container joins. */
  readonly target?: number;
}

/** What pods that stand on the machine's own root may not see of it. */
const HIDDEN: readonly HiddenPath[] = [
  { path: '/run', mode: '755' },
  { path: '/tmp', mode: '1777' },
  { path: '/var/tmp', mode: '1777' },
  { path: '/root', mode: '700' },
  { path: '/home', mode: '755' },
  { path: '/var/lib/polder', mode: '755' },
  { path: '/etc/ssh', mode: '755' },
  { path: '/etc/shadow' },
  { path: '/etc/gshadow' },
];

export function podFacts(ctx: KubeletContext, podIps: readonly string[]): PodFacts {
  const { options, facts } = ctx;
  return { podIps, hostIp: options.nodeIp, nodeName: options.node, cpus: facts.cpus, memory: facts.memory };
}

/**
 * Starts it and reads back what became of that: a record with `startedAt`, or with `exit` where it could not start.
 * @throws ConfigError for a reference that leads nowhere; other errors are the machine's
 */
export async function startOne(ctx: KubeletContext, request: StartRequest): Promise<ContainerRecord> {
  const { layout, programs, runtime } = ctx;
  const { pod, container, attempt, image, sandbox } = request;
  const { uid } = pod.metadata;
  const meta: ContainerMeta = {
    id: newId(),
    name: container.name,
    attempt,
    sandboxId: sandbox.id,
    image: image.name,
    imageId: image.imageId,
    createdAt: new Date().toISOString(),
  };
  const spec = await specOf(ctx, request, meta);
  makeBundle(layout, uid, meta, spec);
  await ctx.starting.run(() =>
    startContainer(layout, uid, meta, {
      tend: programs.tend,
      runtime,
      pausePid: sandbox.pid ?? 0,
      layers: image.layers,
      ...(image.seed === undefined ? {} : { seed: image.seed }),
      tty: container.tty === true,
      stdin: container.stdin === true,
      stdinOnce: container.stdinOnce === true,
    }),
  );
  const record = readContainer(layout, { uid, name: container.name, attempt });
  if (record === undefined) throw new Error(`the record of container ${container.name} is gone`);
  return record;
}

async function specOf(ctx: KubeletContext, request: StartRequest, meta: ContainerMeta): Promise<object> {
  const { pod, container, image, sandbox } = request;
  const env = await environment(ctx, request);
  const security = { ...container.securityContext };
  const podSecurity = pod.spec.securityContext;
  const user = readUser(image.config.user, image.layers);
  const uid = security.runAsUser ?? podSecurity?.runAsUser ?? user.uid;
  if (uid === 0 && (security.runAsNonRoot ?? podSecurity?.runAsNonRoot) === true)
    throw new ConfigError(asRoot(pod, container));
  const args = argsOf(container, image.config, env);
  if (args.length === 0) throw new ConfigError('no command specified');
  const { limits, requests } = container.resources ?? {};
  const amount = (has: boolean, text: string | undefined) =>
    has && text !== undefined ? parseQuantity(text) : undefined;
  const memoryLimit = amount(ctx.facts.hasMemoryController, limits?.memory);
  const cpuLimit = amount(ctx.facts.hasCpuController, limits?.cpu);
  const cpuRequest = amount(ctx.facts.hasCpuController, requests?.cpu);
  return ociSpec(
    {
      args,
      env,
      workingDir: container.workingDir ?? image.config.workingDir,
      uid,
      gid: security.runAsGroup ?? podSecurity?.runAsGroup ?? user.gid,
      groups: [
        ...(podSecurity?.supplementalGroups ?? []),
        ...(podSecurity?.fsGroup === undefined ? [] : [podSecurity.fsGroup]),
      ],
      tty: container.tty === true,
      security,
      pausePid: sandbox.pid ?? 0,
      hostNetwork: pod.spec.hostNetwork === true,
      hostPid: pod.spec.hostPID === true,
      shareProcesses: pod.spec.shareProcessNamespace === true,
      ...(request.target === undefined ? {} : { targetPid: request.target }),
      cgroupsPath: `/${containerCgroup(ctx, pod, meta.id)}`,
      ...(memoryLimit === undefined ? {} : { memoryLimit }),
      ...(cpuLimit === undefined ? {} : { cpuLimit }),
      ...(cpuRequest === undefined ? {} : { cpuRequest }),
      binds: allBinds(ctx, request, env),
      hidden: image.onMachine ? hiddenPaths(ctx) : [],
    },
    ctx.facts.capabilities,
  );
}

function asRoot({ metadata: { name, namespace, uid } }: RunnablePod, container: PodContainer): string {
  const where = `pod: "${name}_${namespace}(${uid})", container: ${container.name}`;
  return `container has runAsNonRoot and image will run as root (${where})`;
}

function hiddenPaths(ctx: KubeletContext): HiddenPath[] {
  return [...HIDDEN.filter((h) => existsSync(h.path)), ...ctx.options.hide.map((path) => ({ path, mode: '755' }))];
}

export function podCgroup(ctx: KubeletContext, pod: RunnablePod): string {
  return `${ctx.options.cgroup}/pod${pod.metadata.uid}`;
}

export function containerCgroup(ctx: KubeletContext, pod: RunnablePod, id: string): string {
  return `${podCgroup(ctx, pod)}/${id}`;
}

/** The kubelet's own files come after the pod's volumes, but not over a volume mounted at the same place. */
function allBinds(ctx: KubeletContext, request: StartRequest, env: ReadonlyMap<string, string>): Bind[] {
  const { pod, container, attempt, volumes, sandbox } = request;
  const { uid } = pod.metadata;
  // What lies in memory is to be seen only from within the pod.
  const inside = new Set(memoryVolumes(pod).map(({ name }) => name));
  const viewOf = (name: string, path: string) => (inside.has(name) ? `/proc/${sandbox.pid}/root${path}` : path);
  const binds = bindsOf(container.volumeMounts ?? [], volumes, env, viewOf);
  const own: Bind[] = [
    { source: ctx.layout.etc(uid, 'hosts'), target: '/etc/hosts', readOnly: false },
    { source: ctx.layout.etc(uid, 'resolv.conf'), target: '/etc/resolv.conf', readOnly: false },
    { source: ctx.layout.etc(uid, 'hostname'), target: '/etc/hostname', readOnly: false },
    {
      source: join(ctx.layout.container(uid, container.name, attempt), 'termination-log'),
      target: container.terminationMessagePath ?? '/dev/termination-log',
      readOnly: false,
    },
  ];
  return [...own.filter((bind) => !binds.some((b) => b.target === bind.target)), ...binds];
}

async function environment(ctx: KubeletContext, request: StartRequest): Promise<Map<string, string>> {
  const { pod, container, image, sandbox } = request;
  const { namespace } = pod.metadata;
  const names = referencesOf(container);
  const configMaps = await fetchAll(names.configMaps, (name) => ctx.sources.configMap(namespace, name));
  const secrets = await fetchAll(names.secrets, (name) => ctx.sources.secret(namespace, name));
  return environmentOf(pod, container, image.config.env, {
    configMap: (name) => configMaps.get(name),
    secret: (name) => secrets.get(name),
    services: await ctx.sources.services(namespace, pod.spec.enableServiceLinks !== false),
    facts: podFacts(ctx, sandbox.ips ?? []),
  });
}

async function fetchAll(names: ReadonlySet<string>, fetch: (name: string) => Promise<Bytes | undefined>) {
  const found = new Map<string, Readonly<Record<string, string>>>();
  for (const name of names) {
    const data = await fetch(name);
    if (data === undefined) continue;
    found.set(name, Object.fromEntries(Object.entries(data).map(([key, bytes]) => [key, bytes.toString('utf8')])));
  }
  return found;
}
