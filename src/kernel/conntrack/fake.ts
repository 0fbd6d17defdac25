/** Tracked connections in memory. */

import type { Conntrack } from '#kernel/conntrack/handle.ts';
import { fits } from '#wire/conntrack/filter.ts';
import type { Connection, ConnectionFilter } from '#wire/conntrack/values.ts';

export class FakeConntrack implements Conntrack {
  #connections: Connection[];
  /** Every deletion that was asked for. */
  readonly log: ConnectionFilter[] = [];

  constructor(connections: readonly Connection[] = []) {
    this.#connections = [...connections];
  }

  connections(filter: ConnectionFilter = {}): Connection[] {
    return this.#connections.filter((connection) => fits(connection, filter));
  }

  delete(filter: ConnectionFilter): number {
    this.log.push(filter);
    const before = this.#connections.length;
    this.#connections = this.#connections.filter((connection) => !fits(connection, filter));
    return before - this.#connections.length;
  }

  close(): void {}

  [Symbol.dispose](): void {}
}
