/**
 * What has been done so far and how it is undone, last first: `await using undo = new Undo(call.host.log)`, then
 * `undo.defer(…)` after each step, and `undo.keep()` at success. What fails while undoing is logged: the error that
 * made it necessary is the one to be told.
 */

import type { Log } from '#cni/log.ts';

export class Undo implements AsyncDisposable {
  readonly #log: Log;
  #steps: (() => Promise<unknown> | unknown)[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  defer(step: () => Promise<unknown> | unknown): void {
    this.#steps.push(step);
  }

  /** It succeeded: nothing is undone. */
  keep(): void {
    this.#steps = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const step of this.#steps.toReversed()) {
      try {
        await step();
      } catch (error) {
        this.#log.warn({ error: String(error) }, 'a failed ADD could not be undone whole');
      }
    }
    this.#steps = [];
  }
}
