/** Changes of the kernel's tables as they happen (rtnetlink multicast). */

import { SystemError } from '#kernel/ffi/errno.ts';
import { openRouteSocket, receive } from '#kernel/ffi/netlink-socket.ts';
import { pollReadable } from '#kernel/ffi/poll.ts';
import { closeFd } from '#kernel/ffi/sockets.ts';
import { Connection } from '#kernel/netlink/connection.ts';
import type { NetlinkEvent } from '#kernel/netlink/handle.ts';
import { LinkTable } from '#kernel/netlink/link-table.ts';
import { inNetns } from '#kernel/netns/enter.ts';
import { readEvent } from '#wire/netlink/event.ts';
import { type Message, readMessages } from '#wire/netlink/reader.ts';

/** RTNLGRP_* of each group of notifications (linux/rtnetlink.h). */
const GROUPS = {
  link: [1],
  neighbour: [3],
  address: [5, 9],
  route: [7, 11],
  rule: [8, 19],
} as const;

export type NetlinkGroup = keyof typeof GROUPS;

/** Datagrams that are read before other work of the event loop has its turn. */
const BURST = 64;

/**
 * Calls back with each change, in the kernel's order, until closed. After 'overrun' some are missing. Every group
 * includes notifications of links, which carry the names that the others need. @throws SystemError
 */
export function watchNetlink(
  groups: readonly NetlinkGroup[],
  onEvent: (event: NetlinkEvent) => void,
  { netnsFd }: { readonly netnsFd?: number } = {},
): Disposable {
  const numbers = [...new Set<NetlinkGroup>(['link', ...groups])].flatMap((group) => GROUPS[group]);
  const fd = netnsFd === undefined ? openRouteSocket(numbers) : inNetns(netnsFd, () => openRouteSocket(numbers));
  const watcher = new Watcher(fd, groups.includes('link'), onEvent, netnsFd);
  const poll = pollReadable(fd, () => watcher.drain());
  return {
    [Symbol.dispose]() {
      poll.close();
      watcher.close();
    },
  };
}

function lost(error: unknown): boolean {
  return error instanceof SystemError && error.code === 'ENOBUFS';
}

class Watcher {
  readonly #fd: number;
  readonly #links: boolean;
  readonly #onEvent: (event: NetlinkEvent) => void;
  readonly #connection: Connection;
  #names: LinkTable;
  #open = true;

  constructor(fd: number, links: boolean, onEvent: (event: NetlinkEvent) => void, netnsFd?: number) {
    this.#fd = fd;
    this.#links = links;
    this.#onEvent = onEvent;
    this.#connection = new Connection(netnsFd);
    this.#names = LinkTable.read(this.#connection);
  }

  drain(): void {
    for (let i = 0; i < BURST && this.#open; i++) {
      const messages = this.#next();
      if (messages === undefined) return;
      for (const event of messages.flatMap((message) => this.#eventsOf(message))) this.#tell(event);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeFd(this.#fd);
    this.#connection.close();
  }

  /** Undefined if nothing is there. */
  #next(): Message[] | undefined {
    try {
      const datagram = receive(this.#fd);
      return datagram && readMessages(datagram.view, datagram.length);
    } catch (error) {
      if (!lost(error)) throw error;
      this.#recover();
      return [];
    }
  }

  /**
   * The kernel says once that notifications were lost, then loses on in silence until the buffer has been emptied. So
   * what is in it goes first (who is told of an overrun reads everything anew), and only then the overrun is told.
   */
  #recover(): void {
    for (let left = true; left; ) {
      try {
        left = receive(this.#fd) !== undefined;
      } catch (error) {
        if (!lost(error)) throw error;
      }
    }
    this.#names = LinkTable.read(this.#connection);
    this.#tell({ event: 'overrun' });
  }

  /** Decodes, and keeps the names of interfaces up to date. */
  #eventsOf(message: Message): NetlinkEvent[] {
    const event = readEvent(message, this.#names);
    if (event?.event === 'link') this.#names.set(event.link.index, event.link.name);
    if (event?.event === 'linkGone') this.#names.delete(event.index);
    return event ? [event] : [];
  }

  #tell(event: NetlinkEvent): void {
    const ofLink = event.event === 'link' || event.event === 'linkGone';
    if (this.#open && (this.#links || !ofLink)) this.#onEvent(event);
  }
}
