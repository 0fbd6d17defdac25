/** What a pod and its namespace say of addresses, in Calico's annotations. */

import { type Addr, type Family, familyOf, readAddr } from '#net/addr.ts';
import { PolderError } from '#spec/errors.ts';
import type { KubeObject } from '#spec/k8s.ts';
import type { Labels } from '#spec/selector.ts';

export const POD_ANNOTATIONS = {
  addrs: 'cni.projectcalico.org/ipAddrs',
  pools: { 4: 'cni.projectcalico.org/ipv4pools', 6: 'cni.projectcalico.org/ipv6pools' },
} as const;

export interface PodFacts {
  /** Addresses that the pod is to have, at most one a family. */
  readonly addrs: readonly Addr[];
  /** Pools that it is to have addresses of, by family. */
  readonly pools: Readonly<Partial<Record<Family, readonly string[]>>>;
  readonly namespaceLabels: Labels;
}

/** The pod's own annotation counts before its namespace's. @throws PolderError annotation-invalid */
export function factsOf(pod: KubeObject | undefined, namespace: KubeObject | undefined): PodFacts {
  const pools = (family: Family): readonly string[] | undefined =>
    listIn(pod, 'pod', POD_ANNOTATIONS.pools[family]) ?? listIn(namespace, 'namespace', POD_ANNOTATIONS.pools[family]);
  const [four, six] = [pools(4), pools(6)];
  return {
    addrs: addrsIn(pod),
    pools: { ...(four && { 4: four }), ...(six && { 6: six }) },
    namespaceLabels: namespace?.metadata.labels ?? {},
  };
}

function addrsIn(pod: KubeObject | undefined): Addr[] {
  const texts = listIn(pod, 'pod', POD_ANNOTATIONS.addrs) ?? [];
  const addrs = texts.map(
    (text) => readAddr(text) ?? refuse(pod, 'pod', POD_ANNOTATIONS.addrs, `"${text}" is no address`),
  );
  if (new Set(addrs.map(familyOf)).size < addrs.length) {
    refuse(pod, 'pod', POD_ANNOTATIONS.addrs, 'a pod has at most one address of a family');
  }
  return addrs;
}

/** A JSON list of texts; undefined where there is no annotation, or an empty one. */
function listIn(object: KubeObject | undefined, kind: string, annotation: string): string[] | undefined {
  const text = object?.metadata.annotations?.[annotation];
  if (text === undefined || text === '') return undefined;
  const list = parsed(text);
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) {
    return refuse(object, kind, annotation, 'it is no JSON list of texts');
  }
  return list.length === 0 ? undefined : list;
}

function refuse(object: KubeObject | undefined, kind: string, annotation: string, what: string): never {
  const { namespace, name = '', annotations = {} } = object?.metadata ?? {};
  const who = `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
  throw new PolderError('annotation-invalid', { annotation, who, value: annotations[annotation] ?? '', what });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
