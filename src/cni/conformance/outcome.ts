/** How a case ends: by returning (it holds), by `Unmet` (it does not), or by `NotHere` (it cannot be tried here). */

import type { Level } from '#cni/conformance/levels.ts';

export class Unmet extends Error {
  readonly expected: string;
  readonly seen: string;

  constructor(expected: string, seen: string) {
    super(`expected ${expected}; seen ${seen}`);
    this.name = 'Unmet';
    this.expected = expected;
    this.seen = seen;
  }
}

export class NotHere extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NotHere';
  }
}

/** @throws Unmet unless it holds. What was seen is asked for only then. */
export function need(holds: boolean, expected: string, seen: () => string): asserts holds {
  if (!holds) throw new Unmet(expected, brief(seen()));
}

/** A table of a whole node's rules fits; 32 MiB that a plugin says back do not. */
const LONGEST = 20_000;

export function brief(text: string): string {
  const one = text.trim();
  return one.length > LONGEST ? `${one.slice(0, LONGEST)} … (${one.length} characters)` : one;
}

export type Status = 'passed' | 'failed' | 'skipped';

/** A program that was run: all that is needed to run it again by hand. */
export interface Call {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** Null if a signal ended it. */
  readonly exit: number | null;
}

/** One line of the report; the shape of `cases` of `--json`. */
export interface CaseResult {
  readonly id: string;
  readonly plugin: string;
  /** CNI specification version that was spoken; empty if none was. */
  readonly version: string;
  readonly status: Status;
  /** How binding it is, and by what; absent of a row that tells of a plugin that is not tried. */
  readonly level?: Level;
  readonly section?: string;
  /** What the case is about, in words. */
  readonly about: string;
  /** Milliseconds. */
  readonly ms: number;
  readonly expected?: string;
  readonly seen?: string;
  /** Of a failed case: the last calls of plugins, in the order in which they ended. */
  readonly calls?: readonly Call[];
  /** Why it was skipped. */
  readonly reason?: string;
}
