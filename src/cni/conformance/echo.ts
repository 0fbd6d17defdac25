/** A server in a pod and who asks it, both by socat. */

import { type ChildProcess, spawn } from 'node:child_process';
import { PATH, run } from '#cni/conformance/exec.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';

export type Protocol = 'tcp' | 'udp';

const SAID = 'hello';

/**
 * Says back at port 80 what it hears, until disposed. A server that speaks without having read is no use: what it has
 * left unread when it closes resets the connection, and its words are lost with it.
 *
 * @throws Error if it does not listen: no judgement on a plugin stands on that
 */
export async function serve(netns: Netns, protocol: Protocol): Promise<Disposable> {
  const listen = protocol === 'tcp' ? 'TCP-LISTEN:80,fork,reuseaddr' : 'UDP-RECVFROM:80,fork';
  const child = inNetns(netns, () => spawn('socat', [listen, 'PIPE'], { env: { PATH }, stdio: 'ignore' }));
  let failed: Error | undefined;
  child.on('error', (error) => {
    failed = error;
  });
  const server = { [Symbol.dispose]: () => void child.kill('SIGKILL') };
  for (let i = 0; i < POLLS; i++) {
    const { stdout } = await run(netns, 'ss', [protocol === 'tcp' ? '-Htln' : '-Huln']);
    if (stdout.includes(':80')) return server;
    if (failed || ended(child)) break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  server[Symbol.dispose]();
  throw new Error(`socat does not listen at port 80: ${failed?.message ?? `exit status ${child.exitCode}`}`);
}

const POLLS = 500;
const POLL_MS = 20;

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether the server answers. A busy machine gets the time that it needs; datagrams are sent again. */
export async function answered(from: Netns, protocol: Protocol, address: string, port: number): Promise<boolean> {
  if (protocol === 'tcp') return askTcp(from, address, port, PATIENCE_S);
  for (let i = 0; i < PATIENCE_S; i++) if (await askUdp(from, address, port)) return true;
  return false;
}

const PATIENCE_S = 10;

/** Whether nobody answers within a second. */
export async function silent(from: Netns, protocol: Protocol, address: string, port: number): Promise<boolean> {
  return !(await (protocol === 'tcp' ? askTcp(from, address, port, 1) : askUdp(from, address, port)));
}

function askTcp(from: Netns, address: string, port: number, seconds: number): Promise<boolean> {
  return ask(from, [`-t${seconds}`, '-', `TCP:${address}:${port},connect-timeout=${seconds}`]);
}

/** A datagram has no end: socat waits for more until its second is over. */
function askUdp(from: Netns, address: string, port: number): Promise<boolean> {
  return ask(from, ['-t1', '-T1', '-', `UDP:${address}:${port}`]);
}

async function ask(from: Netns, argv: readonly string[]): Promise<boolean> {
  return (await run(from, 'socat', argv, { stdin: SAID, timeoutMs: 30_000 })).stdout === SAID;
}
