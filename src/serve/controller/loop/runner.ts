/** Runs one controller: changes wake keys, each key is decided, its writes are carried out, failures come again. */

import { isConflict, isNotFound } from '#feed/api-error.ts';
import type { Clock } from '#feed/clock.ts';
import type { Change } from '#feed/store.ts';
import type { Controller } from '#serve/controller/controller.ts';
import { WorkQueue } from '#serve/controller/loop/queue.ts';
import type { World } from '#serve/controller/world.ts';
import type { Write } from '#serve/controller/write.ts';
import type { KubeObject, Resource } from '#spec/k8s.ts';

/** What a write came to. `againMs`: it is not finished and wants to be asked again. */
export interface Outcome {
  readonly againMs?: number;
}

export interface RunnerDeps {
  readonly world: World;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly execute: (write: Write) => Promise<Outcome>;
  readonly onError: (controller: string, key: string, error: unknown, againMs: number) => void;
}

/** How many of one decision's writes are under way at once. */
const WRITES_AT_ONCE = 16;

export class Runner {
  readonly #controller: Controller;
  readonly #deps: RunnerDeps;
  readonly #queue: WorkQueue;
  #started = false;

  constructor(controller: Controller, deps: RunnerDeps) {
    this.#controller = controller;
    this.#deps = deps;
    this.#queue = new WorkQueue(deps.clock, deps.signal);
  }

  get needs(): readonly Resource<KubeObject>[] {
    return this.#controller.needs;
  }

  hear(resource: Resource<KubeObject>, change: Change<KubeObject>): void {
    if (!this.#started) return;
    for (const key of this.#controller.wake(resource, change, this.#deps.world)) this.#queue.add(key);
  }

  /** Looks at everything again. */
  lookAgain(): void {
    if (!this.#started) return;
    for (const key of this.#controller.keys(this.#deps.world)) this.#queue.add(key);
  }

  /** Works until the signal ends it; the kinds that it needs must be known by now. `workers` keys are worked on at once. */
  async run(workers: number): Promise<void> {
    this.#started = true;
    for (const key of this.#controller.keys(this.#deps.world)) this.#queue.add(key);
    await Promise.all(Array.from({ length: workers }, () => this.#work()));
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      await this.#process(key);
      this.#queue.done(key);
    }
  }

  async #process(key: string): Promise<void> {
    try {
      const { writes, againMs } = this.#controller.decide(this.#deps.world, key);
      const outcomes = await inParallel(writes, WRITES_AT_ONCE, this.#deps.execute);
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      this.#queue.forget(key);
      const waits = outcomes.flatMap((o) =>
        o.status === 'fulfilled' && o.value.againMs !== undefined ? [o.value.againMs] : [],
      );
      if (againMs !== undefined) waits.push(againMs);
      if (waits.length > 0) this.#queue.addAfter(key, Math.min(...waits));
    } catch (error) {
      const againMs = this.#queue.retry(key);
      // The world moved on between reading and writing: no failure, the next look decides anew.
      if (!isConflict(error) && !isNotFound(error)) this.#deps.onError(this.#controller.name, key, error, againMs);
    }
  }
}

/** All of them, `limit` at a time, in order of start; a failure does not hold the others up. */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  run: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await settled(run(item));
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}

async function settled<R>(promise: Promise<R>): Promise<PromiseSettledResult<R>> {
  try {
    return { status: 'fulfilled', value: await promise };
  } catch (reason) {
    return { status: 'rejected', reason };
  }
}
