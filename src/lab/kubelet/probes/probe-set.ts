/** The probes of one running container: startup first, then readiness and liveness (Kubernetes: "Liveness, Readiness, and Startup Probes"). */

import { isSidecar, type Probe } from '#lab/kubelet/pod.ts';
import { check, type ProbeTarget } from '#lab/kubelet/probes/check.ts';
import { Tally } from '#lab/kubelet/probes/tally.ts';

export interface ProbeSetOptions extends ProbeTarget {
  readonly init: boolean;
  /** It ran before this kubelet started: then its start is behind it. */
  readonly wasRunning: boolean;
  /** And was ready: it is taken to be so still, until a probe says otherwise. */
  readonly wasReady: boolean;
  /** ms since the epoch. */
  readonly startedAt: number;
  changed(): void;
  /** It must be killed: `liveness` or `startup`. */
  condemn(why: 'liveness' | 'startup'): void;
  event(reason: string, message: string): void;
}

type Kind = 'startup' | 'readiness' | 'liveness';

const TITLES: Readonly<Record<Kind, string>> = { startup: 'Startup', readiness: 'Readiness', liveness: 'Liveness' };
/** A container that is not ready yet is looked at more often, so that it is not kept waiting by the period, ms. */
const EAGER_MS = 250;

export class ProbeSet {
  readonly #options: ProbeSetOptions;
  readonly #timers = new Map<Kind, NodeJS.Timeout>();
  #closed = false;
  #started: boolean;
  #ready: boolean;

  constructor(options: ProbeSetOptions) {
    this.#options = options;
    const { startupProbe, readinessProbe } = options.container;
    const counts = !options.init || isSidecar(options.container);
    this.#started = startupProbe === undefined || options.wasRunning;
    this.#ready = counts && this.#started && (readinessProbe === undefined || options.wasReady);
    if (!counts) return;
    if (this.#started) this.#startOthers();
    else if (startupProbe) this.#begin('startup', startupProbe);
  }

  get started(): boolean {
    return this.#started;
  }

  get ready(): boolean {
    return this.#ready;
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #startOthers(): void {
    const { readinessProbe, livenessProbe } = this.#options.container;
    if (readinessProbe) this.#begin('readiness', readinessProbe);
    else this.#ready = true;
    if (livenessProbe) this.#begin('liveness', livenessProbe);
  }

  #begin(kind: Kind, probe: Probe): void {
    const tally = new Tally(probe.successThreshold ?? 1, probe.failureThreshold ?? 3);
    const firstAt = this.#options.startedAt + (probe.initialDelaySeconds ?? 0) * 1000;
    this.#later(kind, Math.max(0, firstAt - Date.now()), () => this.#look(kind, probe, tally));
  }

  #later(kind: Kind, ms: number, work: () => Promise<void>): void {
    if (this.#closed) return;
    this.#timers.set(
      kind,
      setTimeout(() => void work(), ms),
    );
  }

  async #look(kind: Kind, probe: Probe, tally: Tally): Promise<void> {
    const failure = await check(this.#options, probe, (probe.timeoutSeconds ?? 1) * 1000);
    if (this.#closed) return;
    if (failure !== undefined) this.#options.event('Unhealthy', `${TITLES[kind]} probe failed: ${failure}`);
    const outcome = tally.add(failure === undefined);
    if (outcome !== undefined) this.#conclude(kind, outcome);
    if (this.#closed || (kind === 'startup' && this.#started)) return;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const isEager = kind === 'readiness' && !this.#ready && tally.isFresh;
    this.#later(kind, isEager ? Math.min(EAGER_MS, periodMs) : periodMs, () => this.#look(kind, probe, tally));
  }

  #conclude(kind: Kind, ok: boolean): void {
    const before = this.#started && this.#ready;
    if (kind === 'readiness') this.#ready = ok;
    else if (!ok) {
      this.close();
      this.#options.condemn(kind);
      return;
    } else if (kind === 'startup') {
      this.#started = true;
      this.#startOthers();
    }
    if (before !== (this.#started && this.#ready) || kind === 'startup') this.#options.changed();
  }
}
