/** One conversation with DHCP servers by an interface of a pod: what is sent and heard, without what it means. */

import { randomInt } from 'node:crypto';
import { openPacketSocket, receivePacket, sendPacket } from '#kernel/ffi/packet-socket.ts';
import { pollReadable } from '#kernel/ffi/poll.ts';
import { closeFd, connectUdp, sendBytes } from '#kernel/ffi/sockets.ts';
import { inNetns, type NetnsRef } from '#kernel/netns/enter.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import type { Mac } from '#net/mac.ts';
import { type DhcpMessage, decodeMessage, encodeMessage } from '#wire/dhcp/message.ts';
import { CLIENT_PORT, decodeUdpPacket, encodeUdpPacket, SERVER_PORT } from '#wire/dhcp/packet.ts';

/** An interface of a pod, as the protocol sees it. */
export interface DhcpLink {
  readonly netns: NetnsRef;
  readonly ifname: string;
  readonly ifindex: number;
  readonly mac: Mac;
  /** What goes to an address that it does not have yet would not reach it. */
  readonly broadcast: boolean;
}

export const NO_ADDR = parseAddr('0.0.0.0');
const ALL = parseAddr('255.255.255.255');
const ALL_STATIONS = new Uint8Array(6).fill(0xff);

export class Talk implements Disposable {
  readonly xid = randomInt(2 ** 32);
  readonly link: DhcpLink;
  readonly #fd: number;
  readonly #poll: { close(): void };
  readonly #started = performance.now();
  readonly #heard: DhcpMessage[] = [];
  #wake: (() => void) | undefined;

  /** @throws SystemError if there is no such interface any more. */
  constructor(link: DhcpLink) {
    this.link = link;
    this.#fd = inNetns(link.netns, () => openPacketSocket(link.ifindex, CLIENT_PORT));
    this.#poll = pollReadable(this.#fd, () => this.#receive());
  }

  /** A request of this conversation. */
  message(fields: Pick<DhcpMessage, 'options'> & Partial<DhcpMessage>): DhcpMessage {
    const secs = Math.min(Math.floor((performance.now() - this.#started) / 1000), 0xffff);
    const none = { ciaddr: NO_ADDR, yiaddr: NO_ADDR, siaddr: NO_ADDR, giaddr: NO_ADDR };
    const { mac, broadcast } = this.link;
    return { op: 'request', xid: this.xid, secs, broadcast, chaddr: mac, ...none, ...fields };
  }

  /** To all servers of the segment. @throws SystemError (ENETDOWN) */
  shout(message: DhcpMessage): void {
    const payload = encodeMessage(message);
    const ports = { srcPort: CLIENT_PORT, dstPort: SERVER_PORT };
    const packet = encodeUdpPacket({ src: message.ciaddr, dst: ALL, ...ports, payload });
    sendPacket(this.#fd, this.link.ifindex, ALL_STATIONS, packet);
  }

  /**
   * To one server, wherever it is, from the address that the interface has. The socket keeps the port until disposed:
   * the kernel would tell the server that nobody is there. @throws SystemError (EADDRNOTAVAIL, ENETUNREACH)
   */
  tell(server: Addr, message: DhcpMessage): Disposable {
    const [from, to] = [
      { addr: message.ciaddr, port: CLIENT_PORT },
      { addr: server, port: SERVER_PORT },
    ];
    const fd = inNetns(this.link.netns, () => connectUdp(from, to, this.link.ifname));
    try {
      sendBytes(fd, encodeMessage(message));
      return { [Symbol.dispose]: () => closeFd(fd) };
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** The first answer to this conversation of which `read` makes something; undefined after `ms` or at the signal. */
  async hear<T>(
    read: (message: DhcpMessage) => T | undefined,
    ms: number,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    const until = performance.now() + ms;
    while (!signal?.aborted) {
      for (let next = this.#heard.shift(); next; next = this.#heard.shift()) {
        const value = read(next);
        if (value !== undefined) return value;
      }
      const left = until - performance.now();
      if (left <= 0) return undefined;
      await this.#wait(left, signal);
    }
    return undefined;
  }

  #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const ended = () => resolve();
    signal?.addEventListener('abort', ended);
    this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', ended);
      this.#wake = undefined;
    });
  }

  #receive(): void {
    for (let bytes = receivePacket(this.#fd); bytes; bytes = receivePacket(this.#fd)) {
      const packet = decodeUdpPacket(bytes);
      const message = packet && decodeMessage(packet.payload);
      const ours = message?.op === 'reply' && message.xid === this.xid && message.chaddr === this.link.mac;
      if (message && ours) this.#heard.push(message);
    }
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.#poll.close();
    closeFd(this.#fd);
  }
}
