/** The newest events in memory: what watches resume from, and what older lists are rebuilt from. */
import type { StoreEvent } from '#serve/api/store/stored.ts';

export interface HistoryLimit {
  readonly events: number;
  /** Bytes of JSON. */
  readonly bytes: number;
}

export class History {
  readonly #limit: HistoryLimit;
  #events: StoreEvent[] = [];
  #first = 0;
  #bytes = 0;

  constructor(limit: HistoryLimit) {
    this.#limit = limit;
  }

  /** Adds an event; returns those that no longer fit, oldest first. The newest is always kept. */
  push(event: StoreEvent): StoreEvent[] {
    this.#events.push(event);
    this.#bytes += event.object.text.length;
    const evicted: StoreEvent[] = [];
    while (this.#size() > 1 && (this.#size() > this.#limit.events || this.#bytes > this.#limit.bytes)) {
      const oldest = this.#events[this.#first];
      if (oldest === undefined) break;
      evicted.push(oldest);
      this.#bytes -= oldest.object.text.length;
      this.#first += 1;
    }
    if (this.#first > this.#events.length / 2) this.#shift();
    return evicted;
  }

  /** Events after a revision, oldest first. */
  after(revision: number): StoreEvent[] {
    let [low, high] = [this.#first, this.#events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.object.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low);
  }

  #size(): number {
    return this.#events.length - this.#first;
  }

  #shift(): void {
    this.#events = this.#events.slice(this.#first);
    this.#first = 0;
  }
}
