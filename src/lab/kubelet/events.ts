/** Events about pods and the node, as `kubectl describe` shows them; equal ones are counted, not repeated. */

import type { RunnablePod } from '#lab/kubelet/pod.ts';
import { EVENTS, type KubeEvent, type ObjectReference } from '#spec/k8s.ts';

export type EventType = 'Normal' | 'Warning';

/** Where events go: the API, or a test's list. */
export interface EventSink {
  create(event: KubeEvent): Promise<KubeEvent>;
  patch(namespace: string, name: string, patch: object): Promise<unknown>;
}

interface Sent {
  readonly name: string;
  readonly namespace: string;
  count: number;
}

/** Waiting ones that are kept while the API is away; then the oldest go. */
const QUEUE_MAX = 1000;
/** Kinds of events that are remembered for counting. */
const SENT_MAX = 500;

export class EventRecorder {
  readonly #sink: EventSink;
  readonly #host: string;
  readonly #sent = new Map<string, Sent>();
  readonly #queue: { readonly about: ObjectReference; type: EventType; reason: string; message: string; at: Date }[] =
    [];
  #sending = false;
  #serial = 0;

  constructor(sink: EventSink, host: string) {
    this.#sink = sink;
    this.#host = host;
  }

  /** About the pod, or one of its containers. Never throws, never waits. */
  pod(pod: RunnablePod, type: EventType, reason: string, message: string, container?: string): void {
    const fieldPath = container === undefined ? undefined : fieldPathOf(pod, container);
    const { name, namespace, uid, resourceVersion } = pod.metadata;
    const about = { kind: 'Pod', apiVersion: 'v1', name, namespace, uid };
    this.#add(
      { ...about, ...(resourceVersion && { resourceVersion }), ...(fieldPath && { fieldPath }) },
      type,
      reason,
      message,
    );
  }

  node(type: EventType, reason: string, message: string): void {
    this.#add({ kind: 'Node', apiVersion: 'v1', name: this.#host, uid: this.#host }, type, reason, message);
  }

  #add(about: ObjectReference, type: EventType, reason: string, message: string): void {
    this.#queue.push({ about, type, reason, message, at: new Date() });
    if (this.#queue.length > QUEUE_MAX) this.#queue.shift();
    if (!this.#sending) void this.#drain();
  }

  /** One after another: events must not push aside what makes pods run. */
  async #drain(): Promise<void> {
    this.#sending = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await this.#send(next.about, next.type, next.reason, next.message, next.at);
      } catch {
        // An event is a courtesy: one that the API does not take is dropped.
      }
    }
    this.#sending = false;
  }

  async #send(about: ObjectReference, type: EventType, reason: string, message: string, at: Date): Promise<void> {
    const key = [about.uid, about.fieldPath, type, reason, message].join('\0');
    const time = at.toISOString().replace(/\.\d+Z$/, 'Z');
    const known = this.#sent.get(key);
    if (known !== undefined) {
      known.count++;
      await this.#sink.patch(known.namespace, known.name, { count: known.count, lastTimestamp: time });
      return;
    }
    const namespace = about.namespace ?? 'default';
    const name = `${about.name}.${(at.getTime() * 1000 + (this.#serial++ % 1000)).toString(16)}`;
    this.#remember(key, { name, namespace, count: 1 });
    await this.#sink.create({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: about,
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component: 'kubelet', host: this.#host },
      reportingComponent: 'kubelet',
      reportingInstance: this.#host,
    });
  }

  #remember(key: string, sent: Sent): void {
    this.#sent.set(key, sent);
    for (const oldest of this.#sent.keys()) {
      if (this.#sent.size <= SENT_MAX) break;
      this.#sent.delete(oldest);
    }
  }
}

function fieldPathOf(pod: RunnablePod, container: string): string {
  const isInit = (pod.spec.initContainers ?? []).some((c) => c.name === container);
  return `spec.${isInit ? 'initContainers' : 'containers'}{${container}}`;
}

/** What `EventRecorder` needs of an API client. */
export interface EventClient {
  create(resource: typeof EVENTS, event: KubeEvent): Promise<KubeEvent>;
  patch(resource: typeof EVENTS, key: { namespace: string; name: string }, patch: object): Promise<KubeEvent>;
}

export function apiEventSink(client: EventClient): EventSink {
  return {
    create: (event) => client.create(EVENTS, event),
    patch: (namespace, name, patch) => client.patch(EVENTS, { namespace, name }, patch),
  };
}
