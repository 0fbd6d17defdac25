/** Results in a row, against thresholds. */

/** So many looks after the start are eager. */
const FRESH_LOOKS = 20;

export class Tally {
  readonly #successes: number;
  readonly #failures: number;
  #last: boolean | undefined;
  #inRow = 0;
  #looks = 0;

  constructor(successThreshold: number, failureThreshold: number) {
    this.#successes = Math.max(1, successThreshold);
    this.#failures = Math.max(1, failureThreshold);
  }

  /** Whether it has looked only a few times yet. */
  get isFresh(): boolean {
    return this.#looks < FRESH_LOOKS;
  }

  /** Counts one result; gives it back once enough in a row agree. */
  add(ok: boolean): boolean | undefined {
    this.#looks++;
    this.#inRow = ok === this.#last ? this.#inRow + 1 : 1;
    this.#last = ok;
    return this.#inRow >= (ok ? this.#successes : this.#failures) ? ok : undefined;
  }
}
