/** Whether a TCP port of the machine's loopback is free, and who has it. */

import { closeFd, listenTcp } from '#kernel/ffi/sockets.ts';
import { LOOPBACK } from '#lab/spec.ts';
import { loadLab } from '#lab/state.ts';
import { PolderError } from '#spec/errors.ts';

const TRIES = 1000;

export function isFree(port: number): boolean {
  try {
    closeFd(listenTcp(LOOPBACK, port));
    return true;
  } catch {
    return false;
  }
}

/** @throws PolderError 'port-in-use', naming the lab that has it if it is one of ours. */
export function checkPort(port: number, otherLabs: readonly string[]): void {
  if (isFree(port)) return;
  const holder = otherLabs.find((lab) => portOfLab(lab) === port);
  const by = holder === undefined ? '' : ` by lab "${holder}"`;
  throw new PolderError('port-in-use', { port, address: LOOPBACK, by });
}

/** The first free port from `first` on that no other lab, running or not, counts on. */
export function freePort(first: number, otherLabs: readonly string[]): number {
  const reserved = new Set(otherLabs.map(portOfLab));
  for (let port = first; port < first + TRIES; port++) if (!reserved.has(port) && isFree(port)) return port;
  throw new PolderError('port-in-use', { port: `${first} to ${first + TRIES - 1}`, address: LOOPBACK, by: '' });
}

/** The API port of a lab; undefined if its file cannot be read. */
function portOfLab(lab: string): number | undefined {
  try {
    return loadLab(lab)?.apiPort;
  } catch {
    return undefined;
  }
}
