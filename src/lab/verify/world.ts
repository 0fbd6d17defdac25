/** What the claims are tried on: a few pods of their own on a running lab, and ways to look at them. */

import { isAlreadyExists, isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { openNetlink } from '#kernel/netlink/netlink.ts';
import { openNetns } from '#kernel/netns/netns.ts';
import { type ExecResult, execInPod } from '#lab/exec.ts';
import type { PodStatus, RunnablePodSpec } from '#lab/kubelet/pod.ts';
import { nodeNetns } from '#lab/names.ts';
import type { LabSpec, NodeSpec } from '#lab/spec.ts';
import { runningNodes } from '#lab/up.ts';
import { PolderError } from '#spec/errors.ts';
import { conditionOf, type KubeObject, NAMESPACES, type Resource } from '#spec/k8s.ts';

export const VERIFY_NAMESPACE = 'polder-verify';
/** Port of the pods' web server. */
export const PORT = 8080;
/** Answers with the address that it sees as the client's. */
export const WHO_PATH = '/cgi-bin/who';

/** A Pod with the fields that a trial sets and looks at. */
interface TrialObject extends KubeObject {
  readonly spec: RunnablePodSpec;
  readonly status?: PodStatus;
}

const TRIAL_PODS: Resource<TrialObject> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

/** A pod of the trial, as it runs. */
export interface TrialPod {
  readonly name: string;
  readonly node: NodeSpec;
  /** Its first address. */
  readonly ip: string;
  /** One a family of the lab. */
  readonly ips: readonly string[];
}

/** How long what happens on the lab may take, milliseconds. */
export interface Patience {
  /** Until a pod is as it is waited for. */
  readonly readyMs: number;
  /** A command in a container. */
  readonly commandMs: number;
  /** An answer to a request of HTTP. */
  readonly answerMs: number;
}

const READY_MS = 60_000;

/** All of it in proportion: where pods take long, so does the rest. */
export function patience(readyMs = READY_MS): Patience {
  return { readyMs, commandMs: readyMs / 4, answerMs: readyMs / 12 };
}

export interface World {
  readonly spec: LabSpec;
  readonly client: ApiClient;
  readonly nodes: readonly NodeSpec[];
  /** Two on the first node; one on the second if there is one. */
  readonly pods: readonly [TrialPod, TrialPod, ...TrialPod[]];
  /** Runs a command in a container of a pod: 'web' serves, 'side' sleeps beside it. */
  exec(pod: TrialPod, container: 'web' | 'side', command: readonly string[]): Promise<ExecResult>;
  readonly signal: AbortSignal;
  readonly patience: Patience;
}

/** Where and for how long a trial runs. */
export type Trial = Pick<World, 'spec' | 'client' | 'signal' | 'patience'>;

const SERVE = [
  `mkdir -p /srv/www/cgi-bin && cd /srv/www`,
  `printf '#!/bin/sh\\necho Content-Type: text/plain\\necho\\necho $REMOTE_ADDR\\n' > .${WHO_PATH}`,
  // A pod's command has $$ for one $.
  `chmod 755 .${WHO_PATH} && echo $$$$ > /tmp/pid`,
  `exec httpd -f -p ${PORT} -h /srv/www`,
].join(' && ');

/** Makes the pods, gives them to `run` once they are ready, and removes them whatever happens. */
export async function withWorld<T>(trial: Trial, run: (world: World) => Promise<T>): Promise<T> {
  const { spec, client, patience } = trial;
  const nodes = runningNodes(spec);
  const places = [nodes[0], nodes[0], nodes[1]].filter((node) => node !== undefined);
  await ensureNamespace(client);
  try {
    const [a, b, ...more] = await Promise.all(places.map((node, i) => startPod(trial, `trial-${i + 1}`, node)));
    if (a === undefined || b === undefined) throw new Error('The lab has no running node');
    const exec: World['exec'] = (pod, container, command) =>
      execInPod(client.config, { namespace: VERIFY_NAMESPACE, pod: pod.name, container }, command, patience.commandMs);
    return await run({ ...trial, nodes, pods: [a, b, ...more], exec });
  } finally {
    await removeAll(trial, places.length);
  }
}

async function ensureNamespace(client: ApiClient): Promise<void> {
  try {
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: VERIFY_NAMESPACE } });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

async function startPod(trial: Trial, name: string, node: NodeSpec): Promise<TrialPod> {
  await remove(trial, name); // what an earlier trial that was killed has left
  await trial.client.create(TRIAL_PODS, podOn(name, node.name));
  const ready = await whenPod(trial, name, isReady);
  const ips = ready.status?.podIPs?.map(({ ip }) => ip) ?? [];
  return { name, node, ip: ready.status?.podIP ?? '', ips };
}

function podOn(name: string, nodeName: string): TrialObject {
  const image = 'busybox';
  const probe = { tcpSocket: { port: PORT }, periodSeconds: 1 };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: VERIFY_NAMESPACE },
    spec: {
      nodeName,
      shareProcessNamespace: true,
      terminationGracePeriodSeconds: 1,
      containers: [
        { name: 'web', image, command: ['sh', '-c', SERVE], readinessProbe: probe },
        { name: 'side', image, command: ['sleep', '3600'] },
      ],
      tolerations: [{ operator: 'Exists' }],
    },
  };
}

function isReady(pod: TrialObject): boolean {
  return conditionOf(pod.status?.conditions, 'Ready')?.status === 'True' && pod.status?.podIP !== undefined;
}

/** The pod once it is so. @throws the signal's reason; PolderError 'pod-not-ready' with how it is. */
export async function whenPod(
  { client, signal, patience }: Trial,
  name: string,
  is: (pod: TrialObject) => boolean,
): Promise<TrialObject> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(patience.readyMs)]);
  const which = { namespace: VERIFY_NAMESPACE, fieldSelector: `metadata.name=${name}`, signal: limited };
  let last: TrialObject | undefined;
  while (!limited.aborted) {
    for await (const event of client.watch(TRIAL_PODS, which)) {
      if (event.type === 'BOOKMARK' || event.type === 'DELETED') continue;
      last = event.object;
      if (is(last)) return last;
    }
  }
  signal.throwIfAborted();
  throw new PolderError('pod-not-ready', { pod: name, how: last === undefined ? 'it is gone' : stateOf(last) });
}

/** Why a pod is as it is, as far as its status says. */
function stateOf({ status }: TrialObject): string {
  const states = status?.containerStatuses?.map(({ name, state }) => {
    const why = state.waiting ?? state.terminated;
    return `${name} ${why?.reason ?? 'runs'}${why?.message === undefined ? '' : ` (${why.message})`}`;
  });
  return states?.join(', ') ?? status?.message ?? status?.phase ?? 'it has no status';
}

async function removeAll(trial: Trial, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => remove(trial, `trial-${i + 1}`)));
  await unlessGone(trial.client.delete(NAMESPACES, { name: VERIFY_NAMESPACE }));
}

async function remove(trial: Trial, name: string): Promise<void> {
  const { client } = trial;
  const key = { namespace: VERIFY_NAMESPACE, name };
  const found = await client.find(TRIAL_PODS, key);
  if (found === undefined) return;
  await unlessGone(client.delete(TRIAL_PODS, key));
  await whenGone(trial, found);
}

/** Watches from the version at which it was still there, so that its end cannot be missed. */
async function whenGone({ client, patience }: Trial, { metadata }: TrialObject): Promise<void> {
  const { name = '', resourceVersion = '' } = metadata;
  const signal = AbortSignal.timeout(patience.readyMs);
  const which = { namespace: VERIFY_NAMESPACE, fieldSelector: `metadata.name=${name}`, resourceVersion, signal };
  for await (const event of client.watch(TRIAL_PODS, which)) if (event.type === 'DELETED') return;
}

async function unlessGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Reads the kernel of a node. */
export function onNode<T>(world: World, node: NodeSpec, read: (netlink: Netlink) => T): T {
  using netns = openNetns({ name: nodeNetns(world.spec.name, node.name) });
  using netlink = openNetlink(netns.fd);
  return read(netlink);
}

/** As a URL has it. */
export function urlHost(addr: string): string {
  return addr.includes(':') ? `[${addr}]` : addr;
}

/** The families that two addresses of one pod each have in common, as pairs. */
export function pairsOf(a: readonly string[], b: readonly string[]): { readonly from: string; readonly to: string }[] {
  return a.flatMap((from) => b.filter((to) => from.includes(':') === to.includes(':')).map((to) => ({ from, to })));
}
