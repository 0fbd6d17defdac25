/** For tests: worlds of plain objects, and an API in memory that carries writes out. */

import type { Controller } from '#serve/controller/controller.ts';
import { timestamp, type World } from '#serve/controller/world.ts';
import type { Notice, Write } from '#serve/controller/write.ts';
import {
  apiVersionOf,
  type DaemonSet,
  type KubeObject,
  keyOf,
  type Node,
  type Pod,
  type Quantities,
  type Resource,
  type Taint,
} from '#spec/k8s.ts';

export const T0 = Date.parse('2026-01-01T00:00:00Z');

/** A world whose objects the controllers' writes change, as an API server would. */
export class TestWorld implements World {
  readonly #objects = new Map<string, KubeObject>();
  readonly heardAt = new Map<string, number>();
  readonly notices: Notice[] = [];
  /** What the API has and the watches have not brought yet. */
  readonly unseen: KubeObject[] = [];
  now = T0;
  #version = 0;

  constructor(objects: readonly KubeObject[] = []) {
    for (const object of objects) this.put(object);
  }

  of<T extends KubeObject>(resource: Resource<T>): ReadonlyMap<string, T> {
    const prefix = `${apiVersionOf(resource)} ${resource.kind} `;
    const found = [...this.#objects].filter(([key]) => key.startsWith(prefix));
    return new Map(found.map(([key, object]) => [key.slice(prefix.length), object as T]));
  }

  heard(node: string): number | undefined {
    return this.heardAt.get(node);
  }

  put(object: KubeObject): KubeObject {
    const version = ++this.#version;
    const name = object.metadata.name ?? `${object.metadata.generateName}${version}`;
    const defaults = { uid: `uid-${version}`, creationTimestamp: timestamp(this.now) };
    const metadata = { ...defaults, ...object.metadata, name, resourceVersion: `${version}` };
    const stored = { ...object, metadata };
    this.#objects.set(place(stored), stored);
    return stored;
  }

  /** An object as another server has it, its version too. */
  keep(object: KubeObject): void {
    this.#objects.set(place(object), object);
  }

  /** As a kubelet, a person or another controller would. */
  remove(object: KubeObject): void {
    this.#objects.delete(place(object));
  }

  edit<T extends KubeObject>(object: T, change: (object: T) => KubeObject): void {
    this.put(change(object));
  }

  apply(write: Write): void {
    switch (write.verb) {
      case 'create':
        this.put(write.object);
        break;
      case 'ensure':
        if (!this.#objects.has(place(write.object))) this.put(write.object);
        break;
      case 'patch':
        this.#patch(write);
        break;
      case 'delete':
        if (!this.#refuses(write) && !(write.ifUnchanged && this.#changed(write.object))) this.remove(write.object);
        break;
      case 'bind':
        this.put({ ...write.pod, spec: { ...write.pod.spec, nodeName: write.node } } as Pod);
        break;
      case 'notice':
        this.notices.push(write.notice);
        break;
      case 'purge':
        this.remove({ apiVersion: 'v1', kind: 'Namespace', ...write.namespace });
    }
  }

  /** Decides and applies every key until nothing is wanted any more. Returns the writes in order. @throws if that does not come. */
  settle(controller: Controller, rounds = 30): Write[] {
    const done: Write[] = [];
    for (let round = 0; round < rounds; round++) {
      const writes = controller.keys(this).flatMap((key) => {
        const decided = controller.decide(this, key).writes;
        for (const write of decided) this.apply(write);
        return decided;
      });
      if (writes.length === 0) return done;
      done.push(...writes);
    }
    throw new Error(`${controller.name} does not come to rest: ${done.slice(-3).map(wordOf).join('; ')}`);
  }

  /** Something that is to be gone is there. */
  #refuses({ ifGone }: Pick<Write & { verb: 'patch' | 'delete' }, 'ifGone'>): boolean {
    if (ifGone === undefined) return false;
    const { resource, key, uid } = ifGone;
    const at = place({ apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { ...key } });
    const found = this.#objects.get(at) ?? this.unseen.find((object) => place(object) === at);
    return found !== undefined && (uid === undefined || found.metadata.uid === uid);
  }

  #changed(object: KubeObject): boolean {
    return this.#objects.get(place(object))?.metadata.resourceVersion !== object.metadata.resourceVersion;
  }

  #patch(write: Write & { verb: 'patch' }): void {
    const known = this.#objects.get(place(write.base));
    if (known === undefined || this.#changed(write.base) || this.#refuses(write)) return;
    this.put(merge(known, write.patch as Record<string, unknown>) as KubeObject);
  }
}

function place(object: KubeObject): string {
  return `${object.apiVersion} ${object.kind} ${keyOf(object)}`;
}

/** RFC 7396. */
function merge(target: unknown, patch: Record<string, unknown>): unknown {
  const result: Record<string, unknown> = isFields(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = isFields(value) ? merge(result[key], value) : value;
  }
  return result;
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One line for a write, for comparing. */
export function wordOf(write: Write): string {
  switch (write.verb) {
    case 'bind':
      return `bind ${write.pod.metadata.name} ${write.node}`;
    case 'notice':
      return `notice ${write.notice.reason}: ${write.notice.message}`;
    case 'patch':
      return `patch ${write.resource.kind}/${write.base.metadata.name} ${JSON.stringify(write.patch)}`;
    case 'create':
    case 'ensure':
      return `${write.verb} ${write.resource.kind}/${write.object.metadata.name ?? write.object.metadata.generateName}`;
    case 'delete':
      return `delete ${write.resource.kind}/${write.object.metadata.name}`;
    case 'purge':
      return `purge ${write.namespace.metadata.name}`;
  }
}

export interface NodeShape {
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly allocatable?: Quantities;
  readonly ready?: 'True' | 'False' | 'Unknown';
  readonly podCIDRs?: readonly string[];
  readonly unschedulable?: boolean;
}

export function node(name: string, shape: NodeShape = {}): Node {
  const {
    labels,
    taints,
    allocatable = { cpu: '2', memory: '4Gi', pods: '110' },
    ready = 'True',
    podCIDRs,
    unschedulable,
  } = shape;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: {
      ...(taints === undefined ? {} : { taints }),
      ...(podCIDRs === undefined ? {} : { podCIDRs, podCIDR: podCIDRs[0] ?? '' }),
      ...(unschedulable === undefined ? {} : { unschedulable }),
    },
    status: { allocatable, conditions: [{ type: 'Ready', status: ready }] },
  };
}

export interface PodShape {
  readonly metadata?: Pod['metadata'];
  readonly spec?: Partial<Pod['spec']>;
  readonly status?: NonNullable<Pod['status']>;
}

export function pod(name: string, shape: PodShape = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', name, ...shape.metadata },
    spec: { containers: [{ name: 'main', image: 'busybox' }], ...shape.spec },
    status: shape.status ?? { phase: 'Pending' },
  };
}

export function daemonSet(name: string, spec: Partial<DaemonSet['spec']> = {}, image = 'busybox'): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { namespace: 'default', name, generation: 1 },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image }] } },
      ...spec,
    },
  };
}

/** As its kubelet would report: running, and ready since now. */
export function running(world: TestWorld, target: Pod): void {
  world.edit(target, (p) => ({
    ...p,
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: timestamp(world.now) }],
    },
  }));
}
