/** Runs a command in a container through the API, as kubectl does (v5.channel.k8s.io over WebSocket, KEP-4006). */

import { WebSocket } from 'ws';
import type { ApiConfig } from '#feed/api-config.ts';
import type { Status } from '#spec/k8s.ts';

export interface ExecTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit status of the command. */
  readonly code: number;
}

/** First byte of each message: which stream it belongs to. */
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** `limitMs`: milliseconds that the command may take. @throws Error if it could not be run at all, or does not end in time. */
export function execInPod(
  config: ApiConfig,
  target: ExecTarget,
  command: readonly string[],
  limitMs: number,
): Promise<ExecResult> {
  const socket = new WebSocket(urlOf(config, target, command), PROTOCOLS, tlsOf(config));
  const output = new Map<number, Buffer[]>();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => end(() => reject(new Error(`${command[0]} in ${target.pod} does not end`))),
      limitMs,
    );
    const end = (how: () => void) => {
      clearTimeout(timer);
      socket.terminate();
      how();
    };
    socket.on('message', (data: Buffer) => {
      const channel = data[0] ?? 0;
      output.set(channel, [...(output.get(channel) ?? []), data.subarray(1)]);
      if (channel === ERROR) end(() => finish(textOf(output, ERROR)));
    });
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('close', () => end(() => reject(new Error(`The connection to ${target.pod} closed before the end`))));
    function finish(status: string): void {
      const code = exitCode(JSON.parse(status) as Status);
      if (typeof code === 'string') reject(new Error(code));
      else resolve({ stdout: textOf(output, STDOUT), stderr: textOf(output, STDERR), code });
    }
  });
}

function urlOf(config: ApiConfig, target: ExecTarget, command: readonly string[]): string {
  const path = `/api/v1/namespaces/${target.namespace}/pods/${target.pod}/exec`;
  const url = new URL(config.server.replace(/^http/, 'ws') + path);
  url.searchParams.set('container', target.container);
  for (const stream of ['stdout', 'stderr']) url.searchParams.set(stream, 'true');
  for (const word of command) url.searchParams.append('command', word);
  return url.href;
}

function tlsOf(config: ApiConfig) {
  const { ca, cert, key, token } = config;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  };
}

function textOf(output: ReadonlyMap<number, readonly Buffer[]>, channel: number): string {
  return Buffer.concat(output.get(channel) ?? []).toString('utf8');
}

/** The command's exit status, or why it never ran. */
function exitCode(status: Status): number | string {
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  return cause === undefined ? (status.message ?? 'It failed without a reason') : Number(cause.message);
}
