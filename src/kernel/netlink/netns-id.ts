/** By which number a network namespace calls those of processes: what `peerNetnsId` of its interfaces says. */

import { Connection } from '#kernel/netlink/connection.ts';
import * as N from '#wire/netlink/constants.ts';
import { readNetnsId, writeNetnsIdQuery } from '#wire/netlink/netns-id.ts';
import { Writer } from '#wire/netlink/writer.ts';

/**
 * By pid; processes that have ended, or whose namespace no interface here leads to, are left out.
 * @param netnsFd of the namespace that is asked. @throws SystemError
 */
export function netnsIdsOf(netnsFd: number, pids: readonly number[]): Map<number, number> {
  const connection = new Connection(netnsFd);
  const writer = new Writer(64);
  const found = new Map<number, number>();
  try {
    for (const pid of pids) {
      writer.reset();
      const firstSeq = connection.nextSeq;
      writer.message(N.RTM_GETNSID, N.NLM_F_REQUEST, firstSeq, () => writeNetnsIdQuery(writer, pid));
      connection.exchange({ bytes: writer.bytes, firstSeq, count: 1 }, (message) => {
        const id = readNetnsId(message);
        if (id !== undefined) found.set(pid, id);
      });
    }
    return found;
  } finally {
    connection.close();
  }
}
