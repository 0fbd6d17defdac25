/** How long to wait after failures in a row: doubling, with a ceiling, spread so that many clients do not come at once. */

export interface BackoffLimits {
  /** Wait after the first failure, ms. */
  readonly firstMs: number;
  readonly maxMs: number;
}

export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #failures = 0;

  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** ms to wait after one more failure: between half and all of the doubled time. */
  next(): number {
    const whole = Math.min(this.#limits.maxMs, this.#limits.firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return whole * (0.5 + this.#random() / 2);
  }

  /** It worked: the next failure is a first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
