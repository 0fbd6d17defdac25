/** The answer of a watch as a stream: its times, and a client that must read before it is told more. */
import type { ServerResponse } from 'node:http';
import type { Api } from '#serve/api/api.ts';

/** Bookmarks tell clients how far they are, about once a minute. */
const BOOKMARK_EVERY = 60_000;

export interface StreamEvents {
  readonly timeoutMs: number;
  /** The client has read on: it may be told more. */
  readonly drained: () => void;
  readonly minute: () => void;
  /** Just before the timeout ends the stream. */
  readonly ends: () => void;
}

export class WatchStream {
  readonly #response: ServerResponse;
  readonly #stallMs: number;
  readonly #cleanups: (() => void)[] = [];
  #isReading = true;
  #stalled: NodeJS.Timeout | undefined;

  constructor(api: Api, response: ServerResponse, events: StreamEvents) {
    this.#response = response;
    this.#stallMs = api.limits.stallMs;
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
    response.flushHeaders();
    response.on('drain', () => this.#drain(events));
    this.#keepTimes(api, events);
  }

  /** False while the client has to read what was written, and after it is gone. */
  get isReading(): boolean {
    return this.#isReading && !this.#response.writableEnded && !this.#response.destroyed;
  }

  onClose(cleanup: () => void): void {
    if (this.#response.destroyed) cleanup();
    else this.#cleanups.push(cleanup);
  }

  /** A client that does not read this within the limit's time is cut off, and must watch anew. */
  write(text: string): void {
    if (text === '' || this.#response.writableEnded || this.#response.destroyed) return;
    if (this.#response.write(text)) return;
    this.#isReading = false;
    this.#stalled ??= setTimeout(() => this.#response.destroy(), this.#stallMs);
  }

  end(): void {
    this.#response.end();
  }

  #drain(events: StreamEvents): void {
    clearTimeout(this.#stalled);
    this.#stalled = undefined;
    this.#isReading = true;
    events.drained();
  }

  #keepTimes(api: Api, events: StreamEvents): void {
    const timers = [
      setInterval(events.minute, BOOKMARK_EVERY),
      setTimeout(() => {
        events.ends();
        this.end();
      }, events.timeoutMs),
    ];
    const stop = (): void => this.end();
    api.signal.addEventListener('abort', stop);
    this.#response.on('close', () => {
      for (const timer of [...timers, this.#stalled]) clearTimeout(timer);
      api.signal.removeEventListener('abort', stop);
      for (const cleanup of this.#cleanups) cleanup();
    });
  }
}
