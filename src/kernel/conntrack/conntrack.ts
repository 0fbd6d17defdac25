/** The kernel's handle on tracked connections. */

import { constants } from 'node:os';
import type { Conntrack } from '#kernel/conntrack/handle.ts';
import { SystemError } from '#kernel/ffi/errno.ts';
import { openNetfilterSocket } from '#kernel/ffi/netlink-socket.ts';
import { Connection as Socket } from '#kernel/netlink/connection.ts';
import { dump } from '#kernel/netlink/dump.ts';
import { CT_DELETE, CT_GET, readConnection, writeConnection, writeConnectionDump } from '#wire/conntrack/codec.ts';
import { fits, printDeletion } from '#wire/conntrack/filter.ts';
import type { Connection, ConnectionFilter } from '#wire/conntrack/values.ts';
import { NLM_F_ACK, NLM_F_REQUEST } from '#wire/netlink/constants.ts';
import { Writer } from '#wire/netlink/writer.ts';

/** The answers to more than this would press on the receive buffer. */
const MAX_REQUESTS = 512;

/**
 * Opens a handle on the network namespace of the descriptor, else on the thread's own.
 * @throws SystemError (EPROTONOSUPPORT: the kernel has no netfilter)
 */
export function openConntrack(netnsFd?: number): Conntrack {
  return new KernelConntrack(new Socket(netnsFd, openNetfilterSocket));
}

class KernelConntrack implements Conntrack {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The kernel is asked by family; the rest is sorted out here. @throws SystemError */
  connections(filter: ConnectionFilter = {}): Connection[] {
    const all = dump(this.#socket, {
      type: CT_GET,
      what: 'the tracked connections',
      body: (writer) => writeConnectionDump(writer, filter.family),
      read: readConnection,
    });
    return all.filter((connection) => fits(connection, filter));
  }

  /** @throws SystemError */
  delete(filter: ConnectionFilter): number {
    const found = this.connections(filter);
    let gone = 0;
    for (let at = 0; at < found.length; at += MAX_REQUESTS)
      gone += this.#deleteSome(found.slice(at, at + MAX_REQUESTS), filter);
    return gone;
  }

  #deleteSome(connections: readonly Connection[], filter: ConnectionFilter): number {
    const writer = new Writer();
    const firstSeq = this.#socket.nextSeq;
    for (const [i, connection] of connections.entries()) {
      writer.message(CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, (firstSeq + i) >>> 0, () =>
        writeConnection(writer, connection),
      );
    }
    const acks = this.#socket.exchange({ bytes: writer.bytes, firstSeq, count: connections.length }, () => {});
    // One that ended meanwhile is gone as wished.
    const refused = acks.find(({ errno }) => errno !== 0 && errno !== constants.errno.ENOENT);
    if (refused) throw new SystemError('recv', refused.errno, `do \`${printDeletion(filter)}\``);
    return acks.filter(({ errno }) => errno === 0).length;
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
