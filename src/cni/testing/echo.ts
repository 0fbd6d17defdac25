/** Answering and asking over TCP and UDP in namespaces, by socat; every server ends with the test. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Netns } from '#kernel/netns/netns.ts';

/** Why there is no traffic to be made, or false. */
export const noSocat: string | false = spawnSync('socat', ['-V']).status === 0 ? false : 'needs socat';

/** Why there is no SCTP to be had, or false: socat cannot listen, or nobody comes within the time. */
export function noSctp(): string | false {
  if (noSocat) return noSocat;
  const at = 'SCTP4-LISTEN:0,bind=127.0.0.1,accept-timeout=0.1';
  const { stderr } = spawnSync('socat', ['-d', '-d', at, 'PIPE'], { encoding: 'utf8' });
  return /listening on/.test(stderr) ? false : 'the kernel has no SCTP';
}

/**
 * Answers each connection (or datagram) with `name PEER-ADDRESS`.
 * @param at socat's address without options: `TCP-LISTEN:80`, `UDP6-LISTEN:53`
 */
export async function answer(t: TestContext, netns: Netns, at: string, name: string): Promise<void> {
  const args = ['-d', '-d', `${at},fork,reuseaddr`, `SYSTEM:read line; echo ${name} $SOCAT_PEERADDR`];
  const child = inNetns(netns, () => spawn('socat', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true }));
  t.after(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'));
  await listening(child);
}

/** socat says that it listens before it waits for the first. UDP servers of socat say nothing, but have bound by then. */
async function listening(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
    if (/listening on/.test(said)) resolve();
  });
  child.on('exit', (code) => reject(new Error(`socat ended with ${code}: ${said}`)));
  await promise;
}

/** What the server answers; '' if there is none within the time. @param to socat's address: `TCP:10.0.0.1:80` */
export function ask(netns: Netns | undefined, to: string, seconds = 1): string {
  const command = `echo hello | timeout ${seconds + 1} socat -t${seconds} - ${to}${optionsOf(to, seconds)}`;
  const run = () => spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  return (netns ? inNetns(netns, run) : run()).stdout.trim();
}

/** An association of SCTP cannot be shut in one direction only: the answer would be lost. */
function optionsOf(to: string, seconds: number): string {
  if (to.startsWith('SCTP')) return `,connect-timeout=${seconds},shut-none`;
  return to.startsWith('TCP') ? `,connect-timeout=${seconds}` : '';
}

export function answered(netns: Netns | undefined, to: string, by: string, seconds = 1): void {
  assert.match(ask(netns, to, seconds), new RegExp(`^${by}( |$)`), `${to} is answered by ${by}`);
}

export function silent(netns: Netns | undefined, to: string): void {
  assert.equal(ask(netns, to), '', `${to} is not answered`);
}
