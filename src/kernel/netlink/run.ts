/**
 * Running operations in order with as few sends as their dependence allows.
 *
 * A message names an interface by its index, which for one that an earlier operation makes is not known before that
 * is done. So messages gather until an index is wanted; then they go off together with a look-up of every name
 * that the rest will want.
 */

import { constants } from 'node:os';
import { errnoName } from '#kernel/ffi/errno.ts';
import type { Batch, Connection } from '#kernel/netlink/connection.ts';
import type { KnownLink, OpFailure } from '#kernel/netlink/handle.ts';
import type { Ack } from '#wire/netlink/ack.ts';
import * as N from '#wire/netlink/constants.ts';
import { readLinkName, writeLinkQuery } from '#wire/netlink/link.ts';
import { NoSuchLink } from '#wire/netlink/names.ts';
import { followUp, linksNeeded, linksRenamed, writeOp } from '#wire/netlink/op.ts';
import type { Message } from '#wire/netlink/reader.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';
import type { Writer } from '#wire/netlink/writer.ts';

/** The answers to more than this would press on the receive buffer. */
const MAX_REQUESTS = 512;
const MAX_BYTES = 64 * 1024;

/** What a request of the batch was: a message of an operation (by its place), or a look-up. */
type Asked = { readonly op: number } | { readonly name: string };

export class Runner {
  readonly #connection: Pick<Connection, 'nextSeq' | 'writer'>;
  readonly #ops: readonly NetlinkOp[];
  /** Undefined: looked up, and there is none. */
  readonly #indices = new Map<string, number | undefined>();
  readonly #writer: Writer;
  #asked: Asked[] = [];
  #firstSeq = 0;
  readonly #failures = new Map<number, OpFailure>();

  /** @param known interfaces that need no look-up */
  constructor(
    connection: Pick<Connection, 'nextSeq' | 'writer'>,
    ops: readonly NetlinkOp[],
    known: readonly KnownLink[] = [],
  ) {
    this.#connection = connection;
    this.#writer = connection.writer;
    this.#writer.reset();
    this.#ops = ops;
    for (const { name, index } of known) this.#indices.set(name, index);
  }

  /** Yields batches, is to be continued with their results, and returns the failures in the order of the operations. */
  *steps(): Generator<Batch, OpFailure[], Ack[]> {
    for (const [i, op] of this.#ops.entries()) {
      if (this.#full || linksNeeded(op).some((name) => !this.#indices.has(name))) {
        this.#lookUp(i);
        this.#settle(yield this.#batch());
      }
      this.#append(op, i);
      yield* this.#complete(op, i);
    }
    if (this.#asked.length > 0) this.#settle(yield this.#batch());
    return this.#ops.flatMap((_, i) => this.#failures.get(i) ?? []);
  }

  /** Does what belongs to the operation but must wait for its success. */
  *#complete(op: NetlinkOp, place: number): Generator<Batch, void, Ack[]> {
    const next = followUp(op);
    if (!next) return;
    for (const name of linksNeeded(next)) if (!this.#indices.has(name)) this.#ask(name);
    this.#lookUp(place + 1);
    // Nothing to send if the operation could not even be written.
    if (this.#asked.length > 0) this.#settle(yield this.#batch());
    if (!this.#failures.has(place)) this.#append(next, place);
  }

  /** Takes in the message that answers a look-up. */
  readonly onMessage = (message: Message): void => {
    if (message.type !== N.RTM_NEWLINK) return;
    const asked = this.#asked[(message.seq - this.#firstSeq) >>> 0];
    if (asked && 'name' in asked) this.#indices.set(asked.name, readLinkName(message).index);
  };

  get #full(): boolean {
    return this.#asked.length >= MAX_REQUESTS || this.#writer.length >= MAX_BYTES;
  }

  /** Asks for every name that the operations from `from` on want and that none of them makes first. */
  #lookUp(from: number): void {
    const later = new Set<string>();
    for (let i = from; i < this.#ops.length; i++) {
      const op = this.#ops[i];
      if (!op) return;
      for (const name of linksNeeded(op)) if (!later.has(name) && !this.#indices.has(name)) this.#ask(name);
      const renamed = linksRenamed(op);
      if (renamed === 'all') return;
      for (const name of renamed) later.add(name);
    }
  }

  #ask(name: string): void {
    this.#indices.set(name, undefined);
    const seq = this.#seq({ name });
    this.#writer.message(N.RTM_GETLINK, N.NLM_F_REQUEST, seq, () => writeLinkQuery(this.#writer, name));
  }

  #seq(asked: Asked): number {
    if (this.#asked.length === 0) this.#firstSeq = this.#connection.nextSeq;
    return (this.#firstSeq + this.#asked.push(asked) - 1) >>> 0;
  }

  #append(op: NetlinkOp, place: number): void {
    const mark = this.#writer.mark();
    const asked = this.#asked.length;
    try {
      writeOp(this.#writer, op, { indexOf: (name) => this.#indexOf(name) }, () => this.#seq({ op: place }));
    } catch (error) {
      this.#writer.rewind(mark);
      this.#asked.length = asked;
      this.#fail(place, refusal(error));
    }
    const renamed = linksRenamed(op);
    if (renamed === 'all') this.#indices.clear();
    else for (const name of renamed) this.#indices.delete(name);
  }

  #indexOf(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new NoSuchLink(name);
    return index;
  }

  /** Only the last is to be acknowledged: what was refused before it is told in any case, and a look-up has its answer. */
  #batch(): Batch {
    const last = this.#asked.at(-1);
    if (last && 'op' in last) this.#writer.flagLast(N.NLM_F_ACK);
    return { bytes: this.#writer.bytes, firstSeq: this.#firstSeq, count: this.#asked.length };
  }

  #settle(acks: Ack[]): void {
    for (const [i, ack] of acks.entries()) {
      const asked = this.#asked[i];
      if (ack.errno !== 0 && asked && 'op' in asked) this.#fail(asked.op, ack);
    }
    this.#asked = [];
    this.#writer.reset();
  }

  /** The first failure of an operation counts. */
  #fail(place: number, { errno, text }: Ack): void {
    const op = this.#ops[place];
    if (!op || this.#failures.has(place)) return;
    const why = text ?? missing(op, errno);
    this.#failures.set(place, { op, errno, code: errnoName(errno), ...(why === undefined ? {} : { text: why }) });
  }
}

/** The kernel does not say which interface it has not found by name. */
function missing(op: NetlinkOp, errno: number): string | undefined {
  return op.op === 'link.set' && errno === constants.errno.ENODEV ? new NoSuchLink(op.name).message : undefined;
}

/** What cannot be written is refused as the kernel would refuse it. */
function refusal(error: unknown): Ack {
  if (error instanceof NoSuchLink) return { errno: constants.errno.ENODEV, text: error.message };
  if (error instanceof RangeError) return { errno: constants.errno.EINVAL, text: error.message };
  throw error;
}
