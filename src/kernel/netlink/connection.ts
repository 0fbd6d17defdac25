/** One netlink socket: requests in one send, their answers gathered. */

import {
  netnsOfSocket,
  openBriefRouteSocket,
  openRouteSocket,
  prepareForMany,
  sendRequest,
  sendRequestAsync,
} from '#kernel/ffi/netlink-socket.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import { collect } from '#kernel/netlink/collect.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Ack } from '#wire/netlink/ack.ts';
import type { Message } from '#wire/netlink/reader.ts';
import { Writer } from '#wire/netlink/writer.ts';

/** Messages to be sent together; their sequence numbers count up from `nextSeq`. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly firstSeq: number;
  readonly count: number;
}

/** So many answers fit into the buffer that any socket has. */
const FEW = 64;

export class Connection {
  readonly #fd: number;
  readonly #openSocket: () => number;
  /** For the one request that is under way. */
  readonly writer = new Writer();
  #seq = 1;
  #open = true;
  /** Its socket is made for few requests, none of them a dump. */
  #brief = false;

  /** For a few requests: what only many need is set up when they come. @throws SystemError */
  static brief(netnsFd: number): Connection {
    const connection = new Connection(netnsFd, openBriefRouteSocket);
    connection.#brief = true;
    return connection;
  }

  /** In the namespace of the descriptor, else in the thread's own. @throws SystemError */
  constructor(netnsFd?: number, openSocket = () => openRouteSocket()) {
    this.#openSocket = openSocket;
    this.#fd = netnsFd === undefined ? openSocket() : inNetns(netnsFd, openSocket);
  }

  /** Another socket of the same namespace. @throws SystemError */
  again(): Connection {
    const netns = netnsOfSocket(this.#fd);
    try {
      return this.#brief ? Connection.brief(netns) : new Connection(netns, this.#openSocket);
    } finally {
      closeFd(netns);
    }
  }

  /** The next request's sequence number, 32 bits; after the last comes 0. */
  get nextSeq(): number {
    return this.#seq;
  }

  /** To be called before a dump. @throws SystemError */
  expectMany(): void {
    if (this.#brief) prepareForMany(this.#fd);
    this.#brief = false;
  }

  /** One result for each request. @throws SystemError, SyntaxError */
  exchange(batch: Batch, onMessage: (message: Message) => void): Ack[] {
    this.#advance(batch);
    if (batch.count > FEW) this.expectMany();
    sendRequest(this.#fd, batch.bytes);
    return collect(this.#fd, batch.firstSeq, batch.count, onMessage);
  }

  /** As `exchange`; the kernel works while the event loop goes on. One at a time. */
  async exchangeAsync(batch: Batch, onMessage: (message: Message) => void): Promise<Ack[]> {
    this.#advance(batch);
    if (batch.count > FEW) this.expectMany();
    await sendRequestAsync(this.#fd, batch.bytes);
    return collect(this.#fd, batch.firstSeq, batch.count, onMessage);
  }

  #advance({ firstSeq, count }: Batch): void {
    this.#seq = (firstSeq + count) >>> 0;
  }

  close(): void {
    if (this.#open) closeFd(this.#fd);
    this.#open = false;
  }
}
