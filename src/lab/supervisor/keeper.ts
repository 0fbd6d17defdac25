/**
 * Keeps programs running: what is wanted is started (or adopted, if an earlier supervisor started it), what ends is
 * started again after a back-off, what is no longer wanted is ended. All effects come from outside.
 */

import type { ProgramSpec } from '#lab/programs.ts';
import { restartDelay, WELL_AFTER_MS } from '#lab/supervisor/backoff.ts';
import type { Effects, Running } from '#lab/supervisor/effects.ts';

export type ProgramState = 'waiting' | 'running' | 'restarting' | 'stopping';

/** How a program is doing, as `lab status` shows it. */
export interface ProgramStatus {
  readonly id: string;
  readonly state: ProgramState;
  readonly pid?: number;
  /** When that process started, ms since the epoch. */
  readonly since?: number;
  /** How often it was started again. */
  readonly restarts: number;
  /** How often in a row it ended before it ran well. */
  readonly failures: number;
  /** How it ended last: 'SIGKILL', 'exit status 1'. */
  readonly lastEnd?: string;
  /** From when to when the process ran that ended last, ms since the epoch; `from` is absent if it never ran. */
  readonly lastRun?: { readonly from?: number; readonly to: number };
}

/** Time that a program has to end by itself, milliseconds. */
const GRACE_MS = 5_000;

interface Kept {
  readonly spec: ProgramSpec;
  state: ProgramState;
  running?: Running;
  startedAt: number;
  failures: number;
  restarts: number;
  lastEnd?: string;
  lastRun?: { readonly from?: number; readonly to: number };
  /** Cancels what is to happen later. */
  cancel: () => void;
  /** Called when it has ended for good. */
  gone: (() => void)[];
}

export class Keeper {
  readonly #effects: Effects;
  readonly #kept = new Map<string, Kept>();
  readonly #report: (status: ProgramStatus) => void;

  constructor(effects: Effects, report: (status: ProgramStatus) => void = () => {}) {
    this.#effects = effects;
    this.#report = report;
  }

  /** Makes the running programs those that are wanted. Resolves when all that are not wanted have ended. */
  async reconcile(wanted: readonly ProgramSpec[]): Promise<void> {
    const ids = new Set(wanted.map((spec) => spec.id));
    const ending = [...this.#kept.values()].filter((kept) => !ids.has(kept.spec.id)).map((kept) => this.#end(kept));
    for (const spec of wanted) {
      const kept = this.#kept.get(spec.id);
      if (kept === undefined) this.#begin(spec);
      else if (kept.state === 'waiting') this.#lookAgain(kept);
    }
    await Promise.all(ending);
  }

  /** Ends what runs, so that it is started again. */
  restart(id: string): void {
    const kept = this.#kept.get(id);
    if (kept?.state === 'running') this.#ask(kept);
  }

  status(): ProgramStatus[] {
    return [...this.#kept.values()].map(statusOf);
  }

  #begin(spec: ProgramSpec): void {
    const kept: Kept = {
      spec,
      state: 'waiting',
      startedAt: 0,
      failures: 0,
      restarts: 0,
      cancel: () => {},
      gone: [],
    };
    this.#kept.set(spec.id, kept);
    const found = this.#effects.adopt(spec, (how) => this.#ended(kept, how));
    if (found !== undefined) this.#runs(kept, found);
    else this.#startWhenPossible(kept);
  }

  /** Whoever asks may have made the files just now, and wants it to run when we answer. */
  #lookAgain(kept: Kept): void {
    kept.cancel();
    this.#startWhenPossible(kept);
  }

  #startWhenPossible(kept: Kept): void {
    kept.cancel = this.#effects.whenFiles(kept.spec.after, () => this.#start(kept));
  }

  #start(kept: Kept): void {
    kept.cancel = () => {};
    try {
      this.#runs(
        kept,
        this.#effects.start(kept.spec, (how) => this.#ended(kept, how)),
      );
    } catch (error) {
      this.#ended(kept, error instanceof Error ? error.message : String(error));
    }
  }

  #runs(kept: Kept, running: Running): void {
    kept.running = running;
    kept.startedAt = this.#effects.now();
    this.#become(kept, 'running');
  }

  #ended(kept: Kept, how: string): void {
    kept.cancel();
    const ran = kept.running === undefined ? 0 : this.#effects.now() - kept.startedAt;
    kept.lastRun = { ...(kept.running && { from: kept.running.since }), to: this.#effects.date() };
    delete kept.running;
    kept.lastEnd = how;
    if (kept.state === 'stopping') {
      this.#gone(kept);
      return;
    }
    kept.failures = ran >= WELL_AFTER_MS ? 1 : kept.failures + 1;
    kept.restarts += 1;
    this.#become(kept, 'restarting');
    kept.cancel = this.#effects.later(restartDelay(kept.failures), () => this.#startWhenPossible(kept));
  }

  /** Asks the program to end, insists after a while; resolves when it has ended. */
  #end(kept: Kept): Promise<void> {
    kept.cancel();
    const ended = new Promise<void>((resolve) => kept.gone.push(resolve));
    const isRunning = kept.running !== undefined;
    this.#become(kept, 'stopping');
    if (isRunning) this.#ask(kept);
    else this.#gone(kept);
    return ended;
  }

  #ask(kept: Kept): void {
    const { running } = kept;
    if (running === undefined) return;
    this.#effects.signal(running.id, 'SIGTERM');
    kept.cancel();
    kept.cancel = this.#effects.later(GRACE_MS, () => this.#effects.signal(running.id, 'SIGKILL'));
  }

  #gone(kept: Kept): void {
    kept.cancel();
    this.#effects.forget(kept.spec);
    this.#kept.delete(kept.spec.id);
    for (const call of kept.gone) call();
  }

  #become(kept: Kept, state: ProgramState): void {
    kept.state = state;
    this.#report(statusOf(kept));
  }
}

function statusOf(kept: Kept): ProgramStatus {
  return {
    id: kept.spec.id,
    state: kept.state,
    restarts: kept.restarts,
    failures: kept.failures,
    ...(kept.running === undefined ? {} : { pid: kept.running.id.pid, since: kept.running.since }),
    ...(kept.lastEnd === undefined ? {} : { lastEnd: kept.lastEnd }),
    ...(kept.lastRun === undefined ? {} : { lastRun: kept.lastRun }),
  };
}
