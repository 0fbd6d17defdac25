/** The programs of the lab that this node shows, as the lab's supervisor tells of them, and their pods. */

import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Component } from '#lab/components.ts';
import { componentPod, componentStatus } from '#lab/kubelet/mirror/component-pod.ts';
import type { MirrorKeeper } from '#lab/kubelet/mirror/mirror-keeper.ts';
import type { RunnablePod } from '#lab/kubelet/pod.ts';
import type { SupervisorRequest, WatchAnswer } from '#lab/supervisor/protocol.ts';
import type { Condition } from '#spec/k8s.ts';

const SOURCE = 'programs';
const RETRY_MS = 1_000;

export interface ComponentsOptions {
  /** The supervisor's socket. */
  readonly socket: string;
  readonly node: string;
  readonly nodeIps: readonly string[];
  readonly log: Logger;
}

export class Components {
  readonly #options: ComponentsOptions;
  readonly #mirrors: Pick<MirrorKeeper, 'want' | 'submit' | 'whenDeleted'>;
  /** By name. */
  readonly #seen = new Map<string, string>();
  readonly #conditions = new Map<string, readonly Condition[]>();
  #shown: readonly { readonly component: Component; readonly pod: RunnablePod }[] = [];

  constructor(options: ComponentsOptions, mirrors: Pick<MirrorKeeper, 'want' | 'submit' | 'whenDeleted'>) {
    this.#options = options;
    this.#mirrors = mirrors;
    mirrors.whenDeleted(({ metadata }) => this.#deleted(metadata.namespace ?? '', metadata.name));
  }

  /** The program that a pod of the API shows. */
  find(namespace: string, name: string): Component | undefined {
    const isIt = ({ pod: { metadata } }: { pod: RunnablePod }) =>
      metadata.name === name && metadata.namespace === namespace;
    return this.#shown.find(isIt)?.component;
  }

  get shown(): readonly { readonly component: Component; readonly pod: RunnablePod }[] {
    return this.#shown;
  }

  /** Listens to the supervisor until the signal. While there is none, all stays as it was last known. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const { components } of this.#answers(signal)) this.#take(components);
      } catch (error) {
        this.#options.log.debug({ err: error }, 'the supervisor does not answer');
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }

  async *#answers(signal: AbortSignal): AsyncGenerator<WatchAnswer> {
    using connection = open(this.#options.socket, signal);
    const request: SupervisorRequest = { do: 'watch', node: this.#options.node };
    connection.socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of createInterface({ input: connection.socket })) yield JSON.parse(line) as WatchAnswer;
  }

  #take(components: readonly Component[]): void {
    const { node, nodeIps } = this.#options;
    this.#shown = components.map((component) => ({
      component,
      pod: componentPod(component, node, this.#firstSeen(component.name)),
    }));
    this.#mirrors.want(
      SOURCE,
      this.#shown.map(({ pod }) => pod),
    );
    for (const { component, pod } of this.#shown) {
      const before = this.#conditions.get(component.name) ?? [];
      const status = componentStatus(component, { ips: nodeIps, now: Date.now(), before });
      this.#conditions.set(component.name, status.conditions ?? []);
      this.#mirrors.submit(pod, status, false);
    }
  }

  #deleted(namespace: string, name: string): void {
    const component = this.find(namespace, name);
    if (component?.restartsWhenDeleted !== true) return;
    const request: SupervisorRequest = { do: 'restart', id: component.status.id };
    const socket = connect(this.#options.socket);
    socket.on('error', (error) => this.#options.log.warn({ err: error, pod: name }, 'cannot ask for a restart'));
    socket.end(`${JSON.stringify(request)}\n`);
    socket.resume();
  }

  #firstSeen(name: string): string {
    const seen = this.#seen.get(name) ?? new Date().toISOString();
    this.#seen.set(name, seen);
    return seen;
  }
}

/** An error of the socket ends the reading of its lines. */
function open(path: string, signal: AbortSignal): { readonly socket: Socket } & Disposable {
  const socket = connect(path);
  const end = () => socket.destroy();
  signal.addEventListener('abort', end, { once: true });
  socket.on('error', end);
  return {
    socket,
    [Symbol.dispose]() {
      signal.removeEventListener('abort', end);
      end();
    },
  };
}
