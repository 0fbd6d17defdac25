/** How long work says what it is at: each step is announced, and then done or failed. */

/** Runs one step under a title; returns what it returned. */
export type Step = <T>(title: string, run: (say: (detail: string) => void) => Promise<T>) => Promise<T>;

/** Steps that nobody watches. */
export const quietly: Step = (_title, run) => run(() => {});
