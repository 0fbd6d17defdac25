/** One after another for each key, at once for different keys: the spec forbids parallel operations on one container. */

export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `fn` when all earlier calls with this key have ended, however they ended. */
  async run<T>(key: string, fn: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(key, promise);
    try {
      await before;
      return await fn();
    } finally {
      resolve();
      if (this.#tails.get(key) === promise) this.#tails.delete(key);
    }
  }
}
