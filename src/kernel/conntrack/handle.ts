/** What can be done with tracked connections; the kernel's handle and the fake's both can. */

import type { Connection, ConnectionFilter } from '#wire/conntrack/values.ts';

/** A handle on the connections of one network namespace. */
export interface Conntrack extends Disposable {
  connections(filter?: ConnectionFilter): Connection[];
  /** Forgets those that fit, so that their next packet is looked at anew. How many there were. */
  delete(filter: ConnectionFilter): number;
  close(): void;
}
