/** Where on its kubelet a stream of a pod is (the paths of `k8s.io/kubernetes/pkg/kubelet/server`). */
import { type Api, type Call, keyOf } from '#serve/api/api.ts';
import { badRequest, notFound } from '#serve/api/http/status-error.ts';
import { readStored } from '#serve/api/storage.ts';
import { objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

export interface KubeletTarget {
  /** Path of the kubelet's unix socket. */
  readonly socket: string;
  /** Path and query. */
  readonly path: string;
}

const PATHS: Readonly<Record<string, string>> = {
  exec: 'exec',
  attach: 'attach',
  portforward: 'portForward',
  log: 'containerLogs',
};
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';
const LISTS = ['containers', 'initContainers', 'ephemeralContainers'];

/** @throws StatusError 400 (no such container, or which one is unclear; no node yet), 404 */
export function kubeletTarget(api: Api, call: Pick<Call, 'info' | 'kind' | 'query'>): KubeletTarget {
  const { info, kind, query } = call;
  const stored = api.store.get(keyOf(kind, info.namespace, info.name));
  if (stored === undefined) throw notFound(kind, info.name);
  const pod = readStored(stored);
  const node = textAt(pod, 'spec', 'nodeName');
  if (node === '') throw badRequest(`pod ${info.name} does not have a host assigned`);
  const segments = [PATHS[info.subresource] ?? '', info.namespace, info.name];
  const forwarded = new URLSearchParams(query);
  forwarded.delete('container');
  if (info.subresource !== 'portforward') segments.push(containerOf(pod, query.get('container') ?? ''));
  const text = forwarded.toString();
  const path = `/${segments.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
  return { socket: api.kubeletSocket(node), path };
}

function containerOf(pod: KubeObject, asked: string): string {
  const names = LISTS.flatMap((list) => objectsAt(pod, 'spec', list).map((one) => textAt(one, 'name')));
  const mains = objectsAt(pod, 'spec', 'containers').map((one) => textAt(one, 'name'));
  if (asked !== '') {
    if (names.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  const annotated = textAt(objectAt(pod, 'metadata', 'annotations'), DEFAULT_CONTAINER);
  if (names.includes(annotated)) return annotated;
  const [first, ...others] = mains;
  if (first !== undefined && others.length === 0) return first;
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${mains.join(' ')}]`,
  );
}
