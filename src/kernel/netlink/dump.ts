/** Reading a whole table of the kernel. */

import { constants } from 'node:os';
import { SystemError } from '#kernel/ffi/errno.ts';
import type { Connection } from '#kernel/netlink/connection.ts';
import * as N from '#wire/netlink/constants.ts';
import type { Message } from '#wire/netlink/reader.ts';
import { Writer } from '#wire/netlink/writer.ts';

/** A table that changes faster than it can be read so often in a row is not going to hold still. */
const TRIES = 32;

const writer = new Writer();

type Exchanger = Pick<Connection, 'nextSeq' | 'exchange' | 'expectMany'>;

export interface Dump<T> {
  /** RTM_GET…. */
  readonly type: number;
  /** What is read, for the error's text. */
  readonly what: string;
  readonly body: (writer: Writer) => void;
  readonly read: (message: Message) => T | undefined;
  /** `read` leaves out by itself what was not asked for. */
  readonly sifted?: boolean;
}

/**
 * All entries, as they were at one moment: the kernel says when the table changed in between (NLM_F_DUMP_INTR), and
 * it is read again. Empty if there is no such table (ENOENT). @throws SystemError, SyntaxError
 */
export function dump<T>(connection: Exchanger, spec: Dump<T>): T[] {
  if (!spec.sifted) connection.expectMany();
  for (let i = 0; i < TRIES; i++) {
    const found = attempt(connection, spec);
    if (found) return found;
  }
  throw new SystemError('recv', constants.errno.EINTR, `read ${spec.what}: they change faster than they can be read`);
}

/** Undefined if the table changed meanwhile. */
function attempt<T>(connection: Exchanger, spec: Dump<T>): T[] | undefined {
  const entries: T[] = [];
  let steady = true;
  const firstSeq = connection.nextSeq;
  writer.reset();
  writer.message(spec.type, N.NLM_F_REQUEST | N.NLM_F_DUMP, firstSeq, () => spec.body(writer));
  const onMessage = (message: Message) => {
    if (message.flags & N.NLM_F_DUMP_INTR) steady = false;
    const entry = spec.read(message);
    if (entry !== undefined) entries.push(entry);
  };
  const [ack] = connection.exchange({ bytes: writer.bytes, firstSeq, count: 1 }, onMessage);
  if (ack && ack.errno !== 0 && ack.errno !== constants.errno.ENOENT) {
    throw new SystemError('recv', ack.errno, `read ${spec.what}${ack.text ? ` (${ack.text})` : ''}`);
  }
  return steady ? entries : undefined;
}
