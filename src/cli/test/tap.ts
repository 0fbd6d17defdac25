/** Test results as TAP 13 (of `node:test`), counted and shown as people read them. */

import type { Tally } from '#cli/test/tally.ts';

const RESULT = /^(not )?ok \d* ?- (.*?)(?: # (?:SKIP|TODO) ?(.*))?$/;
/** Totals and titles, which the counting makes anew. */
const NOISE = /^(?:TAP version|1\.\.|# Subtest:|# (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) )/;

export class TapReader {
  /** Why the whole plan was skipped. */
  refusal: string | undefined;
  readonly #tally: Tally;
  readonly #show: (text: string) => void;
  /** The result whose details are being read. */
  #passed: string | undefined;
  #inDetails = false;

  constructor(tally: Tally, show: (text: string) => void) {
    this.#tally = tally;
    this.#show = show;
  }

  /** One line. Subtests stand further in, and belong to their test. */
  read(line: string): void {
    this.refusal ??= /^1\.\.0 # SKIP (.*)$/.exec(line)?.[1];
    const [found, not, name = '', reason] = RESULT.exec(line) ?? [];
    if (line === '  ---') this.#inDetails = true;
    if (found !== undefined) this.#result(not !== undefined, name, reason);
    else if (this.#inDetails) this.#detail(line);
    else if (line !== '' && !NOISE.test(line)) this.#show(`${line}\n`);
    if (line === '  ...') this.#inDetails = false;
  }

  #result(failed: boolean, name: string, reason: string | undefined): void {
    this.#passed = undefined;
    if (failed) {
      this.#tally.failures.push(name);
      this.#show(`✖ ${name}\n`);
    } else if (reason !== undefined) {
      this.#tally.skips.push({ name, reason });
      this.#passed = `﹣ ${name} # ${reason}`;
    } else {
      this.#tally.passed += 1;
      this.#passed = `✔ ${name}`;
    }
  }

  /** Of what passed, only how long it took; of what failed, all. */
  #detail(line: string): void {
    const duration = /^ {2}duration_ms: ([\d.]+)/.exec(line)?.[1];
    if (this.#passed === undefined) this.#show(`${line}\n`);
    else if (duration !== undefined) this.#show(`${this.#passed} (${Math.round(Number(duration))}ms)\n`);
  }
}
