/** The kubelet's HTTP API on its unix socket: the paths of a real kubelet that the API server proxies to. */

import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Component } from '#lab/components.ts';
import type { KubeletContext } from '#lab/kubelet/context.ts';
import { type LogQuery, logQuery } from '#lab/kubelet/logs/entry.ts';
import { readLog } from '#lab/kubelet/logs/follow.ts';
import { programEntries, type Run } from '#lab/kubelet/logs/program-entry.ts';
import type { Components } from '#lab/kubelet/mirror/components.ts';
import type { PodManager } from '#lab/kubelet/pod-manager.ts';
import { Statistics } from '#lab/kubelet/stats/summary.ts';
import { StreamRefusal } from '#lab/kubelet/stream/backend.ts';

/** Listens; disposing ends it, open streams too. @throws Error of the socket */
export async function startHttp(
  ctx: KubeletContext,
  manager: PodManager,
  components?: Components,
): Promise<AsyncDisposable> {
  const { socket } = ctx.options;
  const streaming = streamServer(ctx, manager, components);
  const statistics = new Statistics(ctx, manager, components);
  const streams = new Set<{ destroy(): unknown }>();
  const server = createServer((request, response) => {
    answer({ ctx, manager, components, statistics }, request, response).catch((error: unknown) =>
      refuse(response, error),
    );
  });
  server.on('upgrade', (request, stream, head) => {
    streams.add(stream);
    stream.once('close', () => streams.delete(stream));
    void streaming(request, stream, head);
  });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  chmodSync(socket, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      statistics[Symbol.dispose]();
      for (const stream of streams) stream.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The streaming protocols are loaded at the first use: most kubelets of a lab never need them. */
function streamServer(ctx: KubeletContext, manager: PodManager, components: Components | undefined) {
  let loaded: ReturnType<typeof loadStreaming> | undefined;
  return async (request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> => {
    loaded ??= loadStreaming(ctx, manager, components);
    const { handleStreamUpgrade, backend } = await loaded;
    await handleStreamUpgrade(request, stream, head, backend);
  };
}

async function loadStreaming(ctx: KubeletContext, manager: PodManager, components: Components | undefined) {
  const { handleStreamUpgrade } = await import('#lab/kubelet/stream/handle-upgrade.ts');
  const { streamBackend } = await import('#lab/kubelet/http/stream-backend.ts');
  return { handleStreamUpgrade, backend: streamBackend(ctx, manager, components) };
}

interface Answering {
  readonly ctx: KubeletContext;
  readonly manager: PodManager;
  readonly components: Components | undefined;
  readonly statistics: Statistics;
}

async function answer(of: Answering, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://kubelet');
  const [, verb, ...rest] = url.pathname.split('/').map(decodeURIComponent);
  if (verb === 'healthz') response.end('ok');
  else if (verb === 'stats' && rest[0] === 'summary') sendJson(response, of.statistics.summary());
  else if (verb === 'pods') {
    const items = of.manager.workers().map((worker) => worker.pod);
    sendJson(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
  } else if (verb === 'containerLogs') await sendLog(of, rest, url.searchParams, response);
  else throw new StreamRefusal(404, `the kubelet has no ${url.pathname}`);
}

function sendJson(response: ServerResponse, value: object): void {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(value));
}

async function sendLog(
  { ctx, manager, components }: Answering,
  [namespace = '', name = '', container = '']: readonly string[],
  params: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const query = logQuery(params, Date.now());
  const component = components?.find(namespace, name);
  if (component !== undefined) return sendProgramLog(component, name, query, components, response);
  const worker = manager.get(namespace, name);
  if (worker === undefined) throw new StreamRefusal(404, `pod "${name}" not found in namespace "${namespace}"`);
  const keeper = worker.keeper(container);
  if (keeper === undefined) throw new StreamRefusal(400, `container ${container} is not valid for pod ${name}`);
  const record = query.previous ? keeper.previous : keeper.latest;
  if (record === undefined)
    throw new StreamRefusal(400, noLog(query.previous, container, name, worker.whyWaiting(container)));
  const path = ctx.layout.log(worker.pod.metadata.uid, container, record.attempt);
  const isOver = () => query.previous || keeper.latest?.attempt !== record.attempt || keeper.latest.exit !== undefined;
  await send(response, (signal) => readLog(path, query, isOver, signal));
}

/** A program's file has all of its runs, one behind the other. */
async function sendProgramLog(
  { name, logFile, status }: Component,
  pod: string,
  query: LogQuery,
  components: Components | undefined,
  response: ServerResponse,
): Promise<void> {
  const run = query.previous ? previousRun(status) : latestRun(status);
  if (run === undefined) throw new StreamRefusal(400, noLog(query.previous, name, pod, 'ContainerCreating'));
  const now = () => components?.shown.find(({ component }) => component.name === name)?.component.status;
  const isOver = () => query.previous || now()?.since !== status.since;
  await send(response, (signal) => readLog(logFile, query, isOver, signal, programEntries(run)));
}

function latestRun({ since, lastRun }: Component['status']): Run | undefined {
  const from = since ?? lastRun?.from;
  return from === undefined ? undefined : { from, to: Number.POSITIVE_INFINITY };
}

function previousRun({ since, lastRun }: Component['status']): Run | undefined {
  if (since === undefined || lastRun?.from === undefined) return undefined;
  return { from: lastRun.from, to: since };
}

async function send(response: ServerResponse, text: (signal: AbortSignal) => AsyncIterable<string>): Promise<void> {
  const end = new AbortController();
  response.once('close', () => end.abort());
  response.setHeader('Content-Type', 'text/plain');
  response.flushHeaders();
  await pipeline(Readable.from(text(end.signal)), response).catch(() => {});
}

function noLog(previous: boolean, container: string, pod: string, waiting: string): string {
  if (previous) return `previous terminated container "${container}" in pod "${pod}" not found`;
  return `container "${container}" in pod "${pod}" is waiting to start: ${waiting}`;
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.statusCode = error instanceof StreamRefusal ? error.status : error instanceof RangeError ? 400 : 500;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(error instanceof Error ? error.message : String(error));
}
