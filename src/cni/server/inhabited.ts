/** Whether anybody lives behind a pod's interface. */

import { readdirSync, readlinkSync } from 'node:fs';
import type { CallerNetns } from '#cni/plugin.ts';
import { netnsIdsOf } from '#kernel/netlink/netns-id.ts';

/**
 * True if a process is in the network namespace that has the other end. A namespace that only a file keeps, as
 * runtimes leave it when they lose a sandbox, is nobody's. Costs a request for each namespace of the machine that
 * processes are in: for the few that are suspected. Needs to see the machine's processes, as the CNI server does.
 * @throws SystemError
 */
export function isInhabited({ fd, netlink }: Pick<CallerNetns, 'fd' | 'netlink'>, hostIfname: string): boolean {
  const host = netlink.link(hostIfname);
  if (host === undefined) return false;
  // Not a veth's end, or the other end is here: what that is we do not know.
  if (host.peerNetnsId === undefined) return true;
  return [...netnsIdsOf(fd, inhabitants()).values()].includes(host.peerNetnsId);
}

/** A process of each namespace. */
function inhabitants(): number[] {
  const found = new Map<string, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      found.set(readlinkSync(`/proc/${pid}/ns/net`), Number(pid));
    } catch {
      // It has ended, or is a kernel thread.
    }
  }
  return [...found.values()];
}
