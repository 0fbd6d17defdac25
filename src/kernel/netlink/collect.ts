/** Gathers the answers to a batch of requests. */

import { type Datagram, receive } from '#kernel/ffi/netlink-socket.ts';
import { type Ack, readAck } from '#wire/netlink/ack.ts';
import * as N from '#wire/netlink/constants.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';

/**
 * Reads until the last of `count` requests from `firstSeq` on has its answer, as it must ask for one. The kernel answers
 * in order, and what it refuses in any case: an earlier request without an answer is done. Everything is there already
 * when the kernel has taken the requests; nothing is waited for. Messages go to `onMessage` as they are read.
 * @throws SystemError (ENOBUFS), SyntaxError, or Error if the answer is missing.
 */
export function collect(fd: number, firstSeq: number, count: number, onMessage: (message: Message) => void): Ack[] {
  const acks = Array<Ack>(count).fill(DONE);
  for (let ended = false; !ended; ) {
    for (const message of messagesOf(next(fd))) {
      const index = (message.seq - firstSeq) >>> 0;
      // An answer to an earlier request, whose reading was broken off by an error.
      if (index >= count) continue;
      const ack = message.type === N.NLMSG_ERROR || message.type === N.NLMSG_DONE ? readAck(message) : undefined;
      if (ack) acks[index] = ack;
      else onMessage(message);
      if (index === count - 1 && (ack || !(message.flags & N.NLM_F_MULTI))) ended = true;
    }
  }
  return acks;
}

const DONE: Ack = { errno: 0 };

function next(fd: number): Datagram {
  const datagram = receive(fd);
  if (!datagram) throw new Error('Cannot go on with netlink: the kernel left a request without an answer');
  return datagram;
}

function messagesOf(datagram: Datagram): Message[] {
  return readMessages(datagram.view, datagram.length);
}
