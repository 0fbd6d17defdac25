/** A server in a pod and who asks it, both by socat. */

import { type ChildProcess, spawn } from 'node:child_process';
import { killGroup, PATH, run, tied } from '#cni/conformance/exec.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';
import { readAddr } from '#net/addr.ts';

export type Protocol = 'tcp' | 'udp';

/**
 * Answers each line at the port with the asker's address as it sees it, until disposed. A server that speaks without
 * having read is no use: what it has left unread when it closes resets the connection, and its words are lost with it.
 *
 * @throws Error if it does not listen: no judgement on a plugin stands on that
 */
export async function serve(netns: Netns, protocol: Protocol, port = 80): Promise<Disposable> {
  const listen = `${protocol === 'tcp' ? 'TCP6-LISTEN' : 'UDP6-RECVFROM'}:${port},ipv6only=0,fork,reuseaddr`;
  const say = 'SYSTEM:read line; printf %s "$SOCAT_PEERADDR"';
  const [file, argv] = tied('socat', [listen, say]);
  const child = inNetns(netns, () => spawn(file, argv, { env: { PATH }, stdio: 'ignore', detached: true }));
  await listening(child, netns, protocol, port);
  // With those that it has made for its askers.
  return { [Symbol.dispose]: () => killGroup(child) };
}

/** Returns once socat, in a group of its own, listens. @throws Error if it does not, or cannot be asked; it has ended then. */
export async function listening(child: ChildProcess, netns: Netns, protocol: Protocol, port: number): Promise<void> {
  let failed: Error | undefined;
  child.on('error', (error) => {
    failed = error;
  });
  try {
    for (let i = 0; i < POLLS && !failed && !ended(child); i++) {
      const { stdout } = await run(netns, 'ss', [protocol === 'tcp' ? '-Htln' : '-Huln']);
      if (stdout.includes(`:${port} `)) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`socat does not listen at port ${port}: ${failed?.message ?? `exit status ${child.exitCode}`}`);
  } catch (error) {
    killGroup(child);
    throw error;
  }
}

const POLLS = 500;
const POLL_MS = 20;

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether the server answers. A busy machine gets the time that it needs; datagrams are sent again. */
export async function answered(from: Netns, protocol: Protocol, address: string, port: number): Promise<boolean> {
  return (await seenAs(from, protocol, address, port)) !== '';
}

/** As whom the server sees the asker; empty if it does not answer. */
export async function seenAs(from: Netns, protocol: Protocol, address: string, port: number): Promise<string> {
  if (protocol === 'tcp') return askTcp(from, address, port, PATIENCE_S);
  for (let i = 0; i < PATIENCE_S; i++) {
    const said = await askUdp(from, address, port);
    if (said !== '') return said;
  }
  return '';
}

const PATIENCE_S = 10;

/** Whether nobody answers within a second. */
export async function silent(from: Netns, protocol: Protocol, address: string, port: number): Promise<boolean> {
  return (await (protocol === 'tcp' ? askTcp(from, address, port, 1) : askUdp(from, address, port))) === '';
}

function askTcp(from: Netns, address: string, port: number, seconds: number): Promise<string> {
  return ask(from, [`-t${seconds}`, '-', `TCP:${inUrl(address)}:${port},connect-timeout=${seconds}`]);
}

/** A datagram has no end: socat waits for more until its second is over. */
function askUdp(from: Netns, address: string, port: number): Promise<string> {
  return ask(from, ['-t1', '-T1', '-', `UDP:${inUrl(address)}:${port}`]);
}

function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

const MAPPED = '0000:0000:0000:0000:0000:ffff:';

/** An IPv4 address comes in the dress that it has at a socket of IPv6. */
async function ask(from: Netns, argv: readonly string[]): Promise<string> {
  const { stdout } = await run(from, 'socat', argv, { stdin: 'hello\n', timeoutMs: 30_000 });
  const said = stdout.replaceAll(/[[\]]/g, '');
  return said.startsWith(MAPPED) ? dotted(said.slice(MAPPED.length)) : (readAddr(said) ?? said);
}

function dotted(halves: string): string {
  const digits = halves.replace(':', '');
  return (digits.match(/../g) ?? []).map((octet) => Number.parseInt(octet, 16)).join('.');
}
