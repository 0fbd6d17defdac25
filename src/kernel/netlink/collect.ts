/** Gathers the answers to a batch of requests. */

import { type Datagram, receive } from '#kernel/ffi/netlink-socket.ts';
import { type Ack, readAck } from '#wire/netlink/ack.ts';
import * as N from '#wire/netlink/constants.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';

/**
 * Reads until each of `count` requests from `firstSeq` on has its answer. The kernel answers while it takes the
 * request, so everything is there already; nothing is waited for. Messages go to `onMessage` as they are read.
 * @throws SystemError (ENOBUFS), SyntaxError, or Error if an answer is missing.
 */
export function collect(fd: number, firstSeq: number, count: number, onMessage: (message: Message) => void): Ack[] {
  const acks: (Ack | undefined)[] = Array<undefined>(count).fill(undefined);
  let missing = count;
  while (missing > 0) {
    for (const message of messagesOf(next(fd))) {
      const index = (message.seq - firstSeq) >>> 0;
      // An answer to an earlier request, whose reading was broken off by an error.
      if (index >= count) continue;
      const ends = message.type === N.NLMSG_ERROR || message.type === N.NLMSG_DONE || !(message.flags & N.NLM_F_MULTI);
      const ack = message.type === N.NLMSG_ERROR || message.type === N.NLMSG_DONE ? readAck(message) : undefined;
      if (ack === undefined) onMessage(message);
      if (!ends || acks[index]) continue;
      acks[index] = ack ?? { errno: 0 };
      missing--;
    }
  }
  return acks.map((ack) => ack ?? { errno: 0 });
}

function next(fd: number): Datagram {
  const datagram = receive(fd);
  if (!datagram) throw new Error('Cannot go on with netlink: the kernel left a request without an answer');
  return datagram;
}

function messagesOf(datagram: Datagram): Message[] {
  return readMessages(datagram.view, datagram.length);
}
