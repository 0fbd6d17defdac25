/** One netlink socket: requests in one send, their answers gathered. */

import {
  interfaceIndex,
  interfaceIsRunning,
  interfaceIsUp,
  interfaceMac,
  interfaceMtu,
} from '#kernel/ffi/interface-facts.ts';
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
import type { Hardware } from '#kernel/netlink/handle.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import type { Ack } from '#wire/netlink/ack.ts';
import type { Message } from '#wire/netlink/reader.ts';
import { Writer } from '#wire/netlink/writer.ts';

/** Messages to be sent together; their sequence numbers count up from `nextSeq`. The last must ask for an answer. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly firstSeq: number;
  readonly count: number;
}

/** One for all that work while nothing else does: a buffer of their own would cost them more than what they write. */
const SHARED = new Writer();

/** So many answers fit into the buffer that any socket has. */
const FEW = 64;

export class Connection {
  readonly #fd: number;
  readonly #openSocket: () => number;
  /** For the one request that is under way. */
  readonly writer: Writer;
  #seq = 1;
  #open = true;
  /** Its socket is made for few requests, none of them a dump. */
  #brief = false;

  /** For a few requests: what only many need is set up when they come. @throws SystemError */
  static brief(netnsFd: number, writer = SHARED): Connection {
    const connection = new Connection(netnsFd, openBriefRouteSocket, writer);
    connection.#brief = true;
    return connection;
  }

  /** In the namespace of the descriptor, else in the thread's own. @throws SystemError */
  constructor(netnsFd?: number, openSocket = () => openRouteSocket(), writer = SHARED) {
    this.writer = writer;
    this.#openSocket = openSocket;
    this.#fd = netnsFd === undefined ? openSocket() : inNetns(netnsFd, openSocket);
  }

  /** Another socket of the same namespace, for `exchangeAsync`. @throws SystemError */
  again(): Connection {
    const netns = netnsOfSocket(this.#fd);
    const writer = new Writer();
    try {
      return this.#brief ? Connection.brief(netns, writer) : new Connection(netns, this.#openSocket, writer);
    } finally {
      closeFd(netns);
    }
  }

  /** Undefined if there is none of this name. @throws SystemError */
  indexOf(name: string): number | undefined {
    return interfaceIndex(this.#fd, name);
  }

  /** Undefined if there is none of this name. @throws SystemError */
  isUp(name: string): boolean | undefined {
    return interfaceIsUp(this.#fd, name);
  }

  /** Undefined if there is none of this name. @throws SystemError */
  isRunning(name: string): boolean | undefined {
    return interfaceIsRunning(this.#fd, name);
  }

  /** Undefined if there is none of this name. @throws SystemError */
  hardwareOf(name: string): Hardware | undefined {
    const mtu = interfaceMtu(this.#fd, name);
    const mac = mtu === undefined ? undefined : interfaceMac(this.#fd, name);
    return mtu === undefined ? undefined : { mtu, ...(mac && { mac }) };
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
