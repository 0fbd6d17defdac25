/** One look at a container: exec, httpGet, tcpSocket or grpc, from where the kubelet stands (the node's network). */

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Handler, HttpGet, PodContainer } from '#lab/kubelet/pod.ts';
import { checkGrpc } from '#lab/kubelet/probes/grpc.ts';
import { execInContainer, type OciRuntime } from '#lab/kubelet/runtime/oci-runtime.ts';

export interface ProbeTarget {
  readonly runtime: OciRuntime;
  /** Of the container. */
  readonly id: string;
  readonly container: PodContainer;
  podIp(): string;
}

/** Undefined: all is well; else why not, in the kubelet's words. Never rejects. */
export type Verdict = string | undefined;

const BODY_MAX = 10 * 1024;

export function check(target: ProbeTarget, handler: Handler, timeoutMs: number): Promise<Verdict> {
  if (handler.exec) return checkExec(target, handler.exec.command ?? [], timeoutMs);
  if (handler.httpGet) return checkHttp(target, handler.httpGet, timeoutMs);
  if (handler.tcpSocket) {
    const { host, port } = handler.tcpSocket;
    return checkTcp(host || target.podIp(), portNumber(target.container, port), timeoutMs);
  }
  if (handler.grpc) return checkGrpc(target.podIp(), handler.grpc.port, handler.grpc.service ?? '', timeoutMs);
  return Promise.resolve(undefined);
}

async function checkExec(target: ProbeTarget, command: readonly string[], timeoutMs: number): Promise<Verdict> {
  const answer = await execInContainer(target.runtime, target.id, command, timeoutMs);
  if (answer.timedOut) return `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`;
  return answer.code === 0 ? undefined : `${answer.stdout}${answer.stderr}`.trim();
}

/** A port by number, or by the name that the container gives it. */
export function portNumber(container: PodContainer, port: number | string): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((p) => p.name === port)?.containerPort;
  return named ?? Number.parseInt(port, 10);
}

function checkHttp(target: ProbeTarget, get: HttpGet, timeoutMs: number): Promise<Verdict> {
  const port = portNumber(target.container, get.port);
  const host = get.host || target.podIp();
  const isTls = get.scheme?.toUpperCase() === 'HTTPS';
  const path = get.path || '/';
  const url = `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
  const headers = Object.fromEntries((get.httpHeaders ?? []).map((h) => [h.name, h.value]));
  return new Promise((resolve) => {
    const options = {
      headers: { 'User-Agent': 'kube-probe/1.32', Accept: '*/*', Connection: 'close', ...headers },
      agent: false,
      timeout: timeoutMs,
      signal: AbortSignal.timeout(timeoutMs),
    } as const;
    // A probe asks whether the program answers, not who it is (Kubernetes skips verification too).
    const send = isTls ? httpsRequest(url, { ...options, rejectUnauthorized: false }) : httpRequest(url, options);
    send.once('response', (response) => {
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > BODY_MAX) response.destroy();
      });
      const code = response.statusCode ?? 0;
      resolve(code >= 200 && code < 400 ? undefined : `HTTP probe failed with statuscode: ${code}`);
    });
    send.once('error', (error) => resolve(`Get "${url}": ${reasonOf(error, host, port)}`));
    send.end();
  });
}

function checkTcp(host: string, port: number, timeoutMs: number): Promise<Verdict> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (verdict: Verdict) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(timeoutMs, () => end(`dial tcp ${host}:${port}: i/o timeout`));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error) => end(reasonOf(error, host, port)));
  });
}

/** As Go's net package says it, which is what people search for. */
function reasonOf(error: Error, host: string, port: number): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (error.name === 'AbortError' || error.name === 'TimeoutError' || code === 'ETIMEDOUT') {
    return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  }
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    EHOSTUNREACH: 'no route to host',
    ENETUNREACH: 'network is unreachable',
    ECONNRESET: 'connection reset by peer',
  };
  return `dial tcp ${host}:${port}: connect: ${known[code ?? ''] ?? error.message}`;
}
