/** The agent's BGP: brings BIRD to the node's state, with the passwords of the Secrets that the state names. */

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { BgpState } from '#calc/bgp/state.ts';
import type { Problem } from '#calc/state.ts';
import { type SecretSource, Secrets } from '#feed/secrets.ts';
import { birdAt } from '#kernel/bird/bird.ts';
import type { BirdControl } from '#kernel/bird/handle.ts';
import type { Netlink } from '#kernel/netlink/handle.ts';
import { readSignatureCounts } from '#kernel/tcp-signatures.ts';
import type { NodeSync } from '#serve/agent/node-sync.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { type BirdGoal, BirdKeeper } from '#sync/bird.ts';
import { hasBirdRoutes, sweepBirdRoutes } from '#sync/drivers/bird-routes.ts';
import { SessionsUp } from '#sync/sessions-up.ts';
import { SignatureWatch } from '#sync/signatures.ts';

export interface SpeakerOptions {
  /** The agent's state folder: BIRD's files go into `bird` below it. */
  readonly stateDir: string;
  /** Path of BIRD's control socket. */
  readonly socket: string;
  readonly netlink: Netlink;
  readonly secrets: SecretSource;
  readonly log: Logger;
  /** Told when the sessions have come up, and when BIRD's routes have been taken away. */
  readonly onChange: () => void;
}

/** Secrets with passwords stand beside the cluster's settings. */
export const SECRETS_NAMESPACE = CONFIG_MAP.namespace;

export class BgpSpeaker {
  readonly #keeper: BirdKeeper;
  readonly #secrets: Secrets;
  readonly #sessions: SessionsUp;
  readonly #signatures: SignatureWatch;
  /** The state that was aimed at last. */
  #state: BgpState | undefined;

  constructor({ stateDir, socket, netlink, secrets, log, onChange }: SpeakerOptions) {
    this.#secrets = new Secrets(secrets, {
      namespace: SECRETS_NAMESPACE,
      onChange: () => this.#keeper.trigger(),
      onError: (source, error, waitMs) => log.warn({ source, error: String(error), waitMs }, 'the API does not answer'),
    });
    this.#keeper = new BirdKeeper({
      bird: birdAt({ dir: join(stateDir, 'bird'), socket }),
      passwordOf: (key) => this.#secrets.valueOf(key),
      ready: () => this.#secrets.known,
      recovers: () => hasBirdRoutes(netlink),
      sweep: () => {
        sweepBirdRoutes(netlink);
        onChange();
      },
      onChange: (what) => {
        if (this.#keeper.trouble === undefined) log.info(what);
        else log.warn(what);
      },
    });
    this.#sessions = new SessionsUp(this.#keeper, onChange);
    this.#signatures = new SignatureWatch({
      counts: () => readSignatureCounts(),
      control: () => this.#keeper.control,
      state: () => this.#state,
    });
  }

  /** Aims at what the last pass has made the kernel ready for. */
  follow(sync: NodeSync): void {
    const goal = goalOf(sync);
    this.#state = goal.kind === 'speak' ? goal.state : undefined;
    this.#secrets.follow(new Set(this.#state?.sessions.flatMap(({ password }) => password?.name ?? [])));
    this.#keeper.aim(goal);
    this.#sessions.expect(this.#state);
  }

  /** A tunnel's device was made: routes over one of its name that BIRD has are dead. */
  renew(): void {
    this.#keeper.renew();
  }

  /** False while routes of other nodes may still be on their way for the first time. */
  get settled(): boolean {
    return this.#sessions.settled;
  }

  /** What BIRD is to do; undefined: it has nothing to do with this node, or nobody knows yet. */
  get state(): BgpState | undefined {
    return this.#state;
  }

  /** The running daemon, if it runs. */
  get control(): BirdControl | undefined {
    return this.#keeper.control;
  }

  get problems(): readonly Problem[] {
    return [...this.#keeper.problems, ...this.#signatures.problems];
  }

  /** Why BIRD is not as it should be, if so: one sentence. */
  get trouble(): string | undefined {
    return this.#keeper.trouble;
  }

  /** Until the signal ends it; BIRD goes on. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#keeper.run(signal), this.#sessions.run(signal), this.#signatures.run(signal)]);
    this.#secrets[Symbol.dispose]();
  }
}

/** Only a complete view changes anything: an old one would take sessions down that have come since. */
function goalOf({ view, outcome }: NodeSync): BirdGoal {
  if (view?.kind !== 'complete' || outcome?.kind !== 'ready') return { kind: 'keep' };
  const { bgp, distribution } = outcome.state;
  if (bgp) return { kind: 'speak', state: bgp };
  // BGP is wanted, but not as it is said: what is there stays until that is corrected.
  return { kind: distribution === 'bird' ? 'keep' : 'silent' };
}
