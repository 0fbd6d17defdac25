/** Looks from time to time whether packets come with wrong signatures while sessions do not stand. */

import { type BadSignatures, signatureProblems } from '#calc/bgp/signatures.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import type { Problem } from '#calc/state.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import type { BirdControl } from '#kernel/bird/handle.ts';
import type { SignatureCounts } from '#kernel/tcp-signatures.ts';
import { readProtocols } from '#wire/bird/show-protocols.ts';

/** Between two looks, ms. */
const LOOK_MS = 2_000;
/** A peer that does not come through tries again within this time, ms: so long counts what was dropped. */
const MEMORY_MS = 150_000;

export interface SignatureOptions {
  readonly counts: () => SignatureCounts;
  readonly control: () => BirdControl | undefined;
  /** What is spoken; undefined: nothing. */
  readonly state: () => BgpState | undefined;
  readonly clock?: Clock;
}

export class SignatureWatch {
  readonly #options: SignatureOptions;
  readonly #clock: Clock;
  #last: SignatureCounts | undefined;
  /** When packets of each kind were dropped last, ms. */
  #seen: Partial<Record<keyof SignatureCounts, number>> = {};
  #problems: readonly Problem[] = [];

  constructor(options: SignatureOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Until the signal ends it. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#problems = await this.#look().catch(() => []);
      await this.#clock.sleep(LOOK_MS, signal);
    }
  }

  async #look(): Promise<readonly Problem[]> {
    const state = this.#options.state();
    const control = this.#options.control();
    if (!state || !control) return [];
    const bad = this.#dropped();
    if (bad.failure + bad.notFound + bad.unexpected === 0) return [];
    return signatureProblems(state, await sessionsDown(control), bad);
  }

  /** 1 for each kind of which packets were dropped of late. */
  #dropped(): BadSignatures {
    const [now, counts] = [this.#clock.now(), this.#options.counts()];
    const before = this.#last ?? counts;
    this.#last = counts;
    const of = (kind: keyof SignatureCounts): number => {
      if (counts[kind] > before[kind]) this.#seen[kind] = now;
      return now - (this.#seen[kind] ?? Number.NEGATIVE_INFINITY) < MEMORY_MS ? 1 : 0;
    };
    return { failure: of('failure'), notFound: of('notFound'), unexpected: of('unexpected') };
  }
}

async function sessionsDown(control: BirdControl): Promise<Set<string>> {
  const protocols = readProtocols(await control.ask('show protocols'));
  const down = protocols.filter(({ kind, info }) => kind === 'BGP' && !/^Established/.test(info));
  return new Set(down.map(({ name }) => name));
}
