/** How long to wait before a program that ended is started again. */

/** A program that ran this long was well: its next end counts as the first. Milliseconds. */
export const WELL_AFTER_MS = 10_000;
const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/** Milliseconds before the start after the `failures`th end in a row; the first is at once. */
export function restartDelay(failures: number): number {
  return failures <= 1 ? 0 : Math.min(FIRST_MS * 2 ** (failures - 2), LONGEST_MS);
}
