/**
 * Keeps BIRD as the node's state says: its configuration on disk and loaded, the daemon running. As with the kernel,
 * what is there is read and mended: the file, and the version that the daemon says it has loaded.
 */

import { createHash } from 'node:crypto';
import { birdConf, type PasswordOf } from '#calc/bgp/bird-conf.ts';
import type { BgpState } from '#calc/bgp/state.ts';
import type { Problem } from '#calc/state.ts';
import { Backoff } from '#feed/backoff.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import { type Bird, type BirdControl, BirdGone } from '#kernel/bird/handle.ts';
import { keepStirred } from '#sync/bird-stir.ts';
import type { BirdConf } from '#wire/bird/conf.ts';
import { printConf, versionSymbol } from '#wire/bird/print-conf.ts';
import { reloads } from '#wire/bird/reloads.ts';
import { ending, failed } from '#wire/bird/reply.ts';

/** What BIRD is to be. */
export type BirdGoal =
  /** Speak as this state says. */
  | { readonly kind: 'speak'; readonly state: BgpState }
  /** Nobody knows yet: keep alive what was configured last. */
  | { readonly kind: 'keep' }
  /** This node speaks no BGP: nothing of BIRD is to remain. */
  | { readonly kind: 'silent' };

export interface BirdKeeperOptions {
  readonly bird: Bird;
  readonly passwordOf: PasswordOf;
  /** False while passwords are still being asked for: until then what was configured last is kept alive. */
  readonly ready?: () => boolean;
  /**
   * Whether the kernel has routes of an earlier BIRD, which a new one is to leave until the neighbours have sent theirs.
   * Without any it need not wait for neighbours that may never come. Default: it does.
   */
  readonly recovers?: () => boolean;
  /** Takes BIRD's routes out of the kernel when the daemon is gone for good. */
  readonly sweep: () => void;
  /** Told when something about BIRD has changed: `what` is one sentence. */
  readonly onChange?: (what: string) => void;
  readonly clock?: Clock;
}

const RETRY = { firstMs: 100, maxMs: 10_000 };
/** In any case, ms. */
const RESYNC_MS = 60_000;
/** How long BIRD may take to load its configuration, and how often it is asked. Milliseconds. */
const LOAD_MS = 10_000;
const LOOK_MS = 10;

export class BirdKeeper {
  readonly #options: BirdKeeperOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #goal: BirdGoal = { kind: 'keep' };
  #control: BirdControl | undefined;
  /** What was loaded last by this process: what has changed since must be told to the peers. */
  #last: BirdConf | undefined;
  #problems: readonly Problem[] = [];
  #trouble: string | undefined;
  /** What was heard must be asked for again. */
  #renew = false;
  #dirty = true;
  #wake = new AbortController();

  constructor(options: BirdKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(RETRY, () => this.#clock.random());
  }

  /** The running daemon, if it runs. */
  get control(): BirdControl | undefined {
    return this.#control;
  }

  /** Sessions that are left out. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Why it is not as it should be, if so: one sentence. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  aim(goal: BirdGoal): void {
    this.#goal = goal;
    this.trigger();
  }

  /** Something may have changed: the passwords, or the daemon. */
  trigger(): void {
    this.#dirty = true;
    this.#wake.abort();
  }

  /** A device that routes lead over was made anew: BIRD holds on to the one that has gone. */
  renew(): void {
    this.#renew = true;
    this.trigger();
  }

  /** Until the signal ends it; the daemon goes on. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
    while (!signal.aborted) {
      this.#dirty = false;
      const waitMs = await this.#pass();
      this.#wake = new AbortController();
      if (!this.#dirty && !signal.aborted) await this.#clock.sleep(waitMs, this.#wake.signal);
    }
    this.#control?.close();
  }

  /** @returns how long to wait for the next one, ms. */
  async #pass(): Promise<number> {
    try {
      await this.#bring(this.#goal);
      this.#options.bird.trimLog();
      this.#say(undefined);
      this.#backoff.reset();
      return RESYNC_MS;
    } catch (error) {
      this.#say(`${error instanceof Error ? error.message : String(error)}.`);
      return this.#backoff.next();
    }
  }

  #say(trouble: string | undefined): void {
    const before = this.#trouble;
    this.#trouble = trouble;
    if (trouble !== before) this.#options.onChange?.(trouble ?? 'BIRD is as it should be.');
  }

  async #bring(goal: BirdGoal): Promise<void> {
    if (goal.kind === 'speak' && this.#options.ready?.() !== false) await this.#speak(goal.state);
    else if (goal.kind === 'silent') await this.#leave();
    else if (this.#options.bird.readConf() !== undefined) await this.#running();
  }

  async #speak(state: BgpState): Promise<void> {
    const { bird } = this.#options;
    const { conf: unversioned, problems } = birdConf(state, this.#options.passwordOf);
    this.#problems = problems;
    const conf = { ...unversioned, version: versionOf(unversioned) };
    const text = printConf(conf);
    if (bird.readConf() !== text) {
      const wrong = await bird.writeConf(text);
      if (wrong !== undefined) throw new BirdGone(`BIRD does not take its configuration: ${wrong}`);
    }
    const control = await this.#running();
    if (!(await hasLoaded(control, conf.version))) await this.#load(control, conf.version);
    await this.#apply(control, conf);
    if (this.#renew) await control.ask('reload in all');
    this.#renew = false;
  }

  async #running(): Promise<BirdControl> {
    if (this.#control) return this.#control;
    const { bird, recovers } = this.#options;
    const control = (await bird.connect()) ?? (await bird.start({ recover: recovers?.() ?? true }));
    this.#control = control;
    void control.closed.then(() => this.#ended(control));
    await keepStirred(control, this.#clock);
    return control;
  }

  /** Its routes stay in the kernel, so nothing is lost while it is started again. */
  #ended(control: BirdControl): void {
    if (this.#control !== control) return;
    this.#control = undefined;
    this.#last = undefined;
    this.#say('BIRD has ended; it is started again, and its routes stay until then.');
    this.trigger();
  }

  /** Sessions stay up, and what went by the old filters stands as they had it: that it does not is owed from here on. */
  async #load(control: BirdControl, version: string): Promise<void> {
    this.#options.bird.owes = true;
    await demand(control, 'configure soft');
    // With many sessions it answers before it is done.
    for (let waited = 0; waited < LOAD_MS; waited += LOOK_MS) {
      if (await hasLoaded(control, version)) return;
      await this.#clock.sleep(LOOK_MS);
    }
    throw new BirdGone('BIRD has not loaded its new configuration yet');
  }

  /** Peers are told, and asked, only where a filter of theirs is another one now; by a new process, all of them. */
  async #apply(control: BirdControl, conf: BirdConf): Promise<void> {
    const { bird } = this.#options;
    if (bird.owes) {
      const commands = this.#last ? reloads(this.#last, conf) : ['reload all'];
      // One that is not up has nothing to reload.
      for (const command of commands) await control.ask(command);
      bird.owes = false;
    }
    this.#last = conf;
  }

  async #leave(): Promise<void> {
    const { bird, sweep } = this.#options;
    this.#problems = [];
    this.#last = undefined;
    if (bird.readConf() === undefined) return;
    const control = this.#control ?? (await bird.connect());
    this.#control = undefined;
    if (control) {
      await control.ask('down');
      await control.closed;
    }
    sweep();
    bird.removeConf();
  }
}

async function hasLoaded(control: BirdControl, version: string): Promise<boolean> {
  const reply = await control.ask(`show symbols ${versionSymbol(version)}`);
  return /\tconstant$/.test(ending(reply).text.trimEnd());
}

async function demand(control: BirdControl, command: string): Promise<void> {
  const reply = await control.ask(command);
  if (failed(reply)) throw new BirdGone(`BIRD refuses \`${command}\`: ${ending(reply).text}`);
}

/** Sixteen hexadecimal digits of what the configuration says. */
function versionOf(conf: BirdConf): string {
  return createHash('sha256').update(JSON.stringify(conf)).digest('hex').slice(0, 16);
}
