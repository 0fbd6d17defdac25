/** All interfaces at one moment, by index. */

import { constants } from 'node:os';
import { SystemError } from '#kernel/ffi/errno.ts';
import type { Connection } from '#kernel/netlink/connection.ts';
import { dump } from '#kernel/netlink/dump.ts';
import type { KnownLink } from '#kernel/netlink/handle.ts';
import * as N from '#wire/netlink/constants.ts';
import { readLink, readLinkName, writeLinkDump, writeLinkQuery } from '#wire/netlink/link.ts';
import type { IndexToName } from '#wire/netlink/names.ts';
import type { Message } from '#wire/netlink/reader.ts';
import type { Link } from '#wire/netlink/values.ts';

export class LinkTable implements IndexToName {
  readonly #names: Map<number, string>;

  constructor(links: readonly KnownLink[] = []) {
    this.#names = new Map(links.map(({ index, name }) => [index, name]));
  }

  nameOf(index: number): string | undefined {
    return this.#names.get(index);
  }

  indexOf(name: string): number | undefined {
    for (const [index, own] of this.#names) if (own === name) return index;
    return undefined;
  }

  set(index: number, name: string): void {
    this.#names.set(index, name);
  }

  delete(index: number): void {
    this.#names.delete(index);
  }

  /** Names only. @throws SystemError */
  static read(connection: Connection): LinkTable {
    return new LinkTable(dump(connection, { ...LINKS, read: readLinkName }));
  }
}

const LINKS = { type: N.RTM_GETLINK, what: 'the interfaces', body: writeLinkDump };

/** Reads links, and once more with all names known if one names an interface that had not been seen yet (a VXLAN's underlay). */
function withNames<T>(connection: Connection, read: (names: IndexToName) => T): T {
  let incomplete = false;
  const none: IndexToName = {
    nameOf(index) {
      if (index !== 0) incomplete = true;
      return undefined;
    },
  };
  const found = read(none);
  return incomplete ? read(LinkTable.read(connection)) : found;
}

/** @throws SystemError */
export function readLinks(connection: Connection): Link[] {
  return withNames(connection, (names) => dump(connection, { ...LINKS, read: (message) => readLink(message, names) }));
}

/** Undefined if there is none of this name. @throws SystemError */
export function readOneLink(connection: Connection, name: string): Link | undefined {
  return withNames(connection, (names) => getLink(connection, name, (message) => readLink(message, names)));
}

/** Undefined if there is none of this name. @throws SystemError */
export function getLink<T>(
  connection: Connection,
  name: string,
  read: (message: Message) => T | undefined,
): T | undefined {
  const { writer } = connection;
  writer.reset();
  const firstSeq = connection.nextSeq;
  writer.message(N.RTM_GETLINK, N.NLM_F_REQUEST, firstSeq, () => writeLinkQuery(writer, name));
  let found: T | undefined;
  const [ack] = connection.exchange({ bytes: writer.bytes, firstSeq, count: 1 }, (message) => {
    found = read(message);
  });
  // ERANGE, EINVAL: the name is longer than an interface's can be.
  if (!ack || ack.errno === 0 || found !== undefined) return found;
  if (NO_SUCH_NAME.has(ack.errno)) return undefined;
  throw new SystemError('recv', ack.errno, `read the interface ${name}${ack.text ? ` (${ack.text})` : ''}`);
}

const NO_SUCH_NAME: ReadonlySet<number> = new Set([
  constants.errno.ENODEV,
  constants.errno.ERANGE,
  constants.errno.EINVAL,
]);
