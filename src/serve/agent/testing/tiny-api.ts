/** As much of an API server as an agent asks of one, over plain HTTP in a network namespace: for its tests. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NetnsRef } from '#kernel/netns/enter.ts';
import { listenTcpInNetns } from '#kernel/netns/sockets.ts';
import { parseAddr } from '#net/addr.ts';
import type { FelixConfiguration } from '#spec/calico.ts';
import type { ConfigMap, KubeObject, Node } from '#spec/k8s.ts';

const KINDS = ['nodes', 'configmaps', 'felixconfigurations'] as const;
type Kind = (typeof KINDS)[number];

/** Objects of these kinds and those who watch them; the same for every namespace that it listens in. */
export class TinyApi {
  readonly #objects: Record<Kind, Map<string, KubeObject>> = {
    nodes: new Map(),
    configmaps: new Map(),
    felixconfigurations: new Map(),
  };
  readonly #watches = new Set<{ readonly kind: Kind; readonly response: ServerResponse }>();
  readonly #servers: Server[] = [];
  /** All that has happened, for who begins to watch a moment after it has listed. */
  readonly #events: { readonly kind: Kind; readonly version: number; readonly line: string }[] = [];
  #version = 1;
  /** Paths of watches, as they were begun. */
  readonly watched: string[] = [];
  /** Bodies of PATCH requests, by path. */
  readonly patches: { readonly path: string; readonly body: string }[] = [];

  /** @returns the URL to reach it by inside the namespace. */
  async listen(netns: NetnsRef): Promise<string> {
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) =>
      server.listen({ fd: listenTcpInNetns(netns, parseAddr('127.0.0.1'), 0) }, resolve),
    );
    this.#servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const server of this.#servers.splice(0)) server.close().closeAllConnections();
  }

  putNode(name: string, addr: string, podCidr: string): void {
    const status = { addresses: [{ type: 'InternalIP', address: addr }] };
    const node: Node = { metadata: { name, uid: name }, spec: { podCIDR: podCidr, podCIDRs: [podCidr] }, status };
    this.#put('nodes', node);
  }

  putSettings(data: Readonly<Record<string, string>>): void {
    const map: ConfigMap = { metadata: { namespace: 'kube-system', name: 'polder-config', uid: 'config' }, data };
    this.#put('configmaps', map);
  }

  putFelix(spec: FelixConfiguration['spec'] & object): void {
    const felix: FelixConfiguration = { metadata: { name: 'default', uid: 'felix' }, spec };
    this.#put('felixconfigurations', felix);
  }

  annotationsOf(node: string): Readonly<Record<string, string>> {
    return this.#objects.nodes.get(node)?.metadata.annotations ?? {};
  }

  /** Of a patch of a Node its annotations, as a merge patch means them (RFC 7396). */
  #annotate(name: string, body: string): void {
    const node = this.#objects.nodes.get(name);
    const { metadata } = JSON.parse(body) as { metadata?: { annotations?: Record<string, string | null> } };
    if (!node || !metadata?.annotations) return;
    const merged = { ...node.metadata.annotations, ...metadata.annotations };
    const annotations = Object.fromEntries(Object.entries(merged).flatMap(([k, v]) => (v === null ? [] : [[k, v]])));
    this.#put('nodes', { ...node, metadata: { ...node.metadata, annotations } });
  }

  deleteNode(name: string): void {
    const node = this.#objects.nodes.get(name);
    this.#objects.nodes.delete(name);
    if (node) this.#tell('nodes', 'DELETED', this.#next(node));
  }

  #put(kind: Kind, object: KubeObject): void {
    const name = object.metadata.name ?? '';
    const type = this.#objects[kind].has(name) ? 'MODIFIED' : 'ADDED';
    const stored = this.#next(object);
    this.#objects[kind].set(name, stored);
    this.#tell(kind, type, stored);
  }

  #next(object: KubeObject): KubeObject {
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
  }

  #tell(kind: Kind, type: string, object: KubeObject): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    this.#events.push({ kind, version: this.#version, line });
    for (const watch of this.#watches) if (watch.kind === kind) watch.response.write(line);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://tiny');
    const kind = KINDS.find((word) => url.pathname.includes(`/${word}`));
    if (request.method === 'PATCH') {
      const body = Buffer.concat(await request.toArray()).toString();
      this.patches.push({ path: url.pathname, body });
      this.#annotate(url.pathname.split('/').at(-1) ?? '', body);
      response.end('{"metadata":{}}');
    } else if (!kind) response.writeHead(404).end('{}');
    else if (url.searchParams.has('watch')) this.#watch(kind, response, url);
    else {
      const items = [...this.#objects[kind].values()];
      response.end(JSON.stringify({ metadata: { resourceVersion: String(this.#version) }, items }));
    }
  }

  #watch(kind: Kind, response: ServerResponse, { pathname, searchParams }: URL): void {
    this.watched.push(pathname);
    const since = Number(searchParams.get('resourceVersion'));
    const watch = { kind, response };
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
    response.writeHead(200).flushHeaders();
    for (const event of this.#events) if (event.kind === kind && event.version > since) response.write(event.line);
  }
}

/** A kubeconfig for it. */
export function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'tiny',
    clusters: [{ name: 'tiny', cluster: { server } }],
    users: [{ name: 'agent', user: { token: 'none' } }],
    contexts: [{ name: 'tiny', context: { cluster: 'tiny', user: 'agent' } }],
  });
}
