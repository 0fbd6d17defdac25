/**
 * Deletes interfaces without waiting for what nobody sees.
 *
 * RTM_DELLINK takes an interface out of the namespace within a millisecond, and then waits some 20 ms for RCU before
 * it answers (rcu_barrier in netdev_run_todo, without the rtnl lock). Nothing can see or use the interface any more
 * by then, so the wait for a caller ends when the interface is gone from view. Deletions that come while others are
 * waiting gather in one link group and go with one request: they share the wait and the walk through the lock.
 */

import type { Netlink, OpFailure } from '#kernel/netlink/handle.ts';
import { PolderError } from '#spec/errors.ts';
import { printOp } from '#wire/netlink/print.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** How many requests are under way at once; each holds a thread of the pool (libuv has four) while RCU waits. */
const LANES = 3;

/** For each lane that is busy a new request waits this long, so that more deletions go with it. Milliseconds. */
const GATHER_MS = 4;

/** First of the link groups that we use, out of the way of hand-made ones: 'po' << 16. */
const FIRST_GROUP = 0x706f0000;
const GROUPS = 0x10000;

interface Waiting {
  readonly name: string;
  readonly done: PromiseWithResolvers<void>;
}

/** One deletion at a time: `work` sends it, `probe` sees whether it was done. */
interface Lane {
  readonly work: Netlink;
  readonly probe: Netlink;
  busy: boolean;
}

export class LinkRemover implements Disposable {
  readonly #open: () => Netlink;
  readonly #lanes: Lane[] = [];
  #waiting: Waiting[] = [];
  /** A start is due: what comes until then goes with it. */
  #gathering = false;
  #group = 0;

  /** @param open makes a handle of the namespace */
  constructor(open: () => Netlink) {
    this.#open = open;
  }

  /** Resolves when no interface of this name is there (any more). @throws PolderError kernel-refused */
  async remove(name: string): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ name, done });
    this.#gather();
    await done.promise;
  }

  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    const busy = this.#lanes.filter((lane) => lane.busy).length;
    if (busy === 0) setImmediate(() => this.#start());
    else setTimeout(() => this.#start(), busy * GATHER_MS);
  }

  #start(): void {
    this.#gathering = false;
    if (this.#waiting.length === 0) return;
    let lane: Lane | undefined;
    try {
      lane = this.#freeLane();
    } catch (error) {
      for (const { done } of this.#takeWaiting()) done.reject(error);
    }
    if (lane) this.#use(lane);
  }

  #use(lane: Lane): void {
    lane.busy = true;
    void this.#delete(lane, this.#takeWaiting()).finally(() => {
      lane.busy = false;
      if (!this.#gathering) this.#start();
    });
  }

  #takeWaiting(): readonly Waiting[] {
    const batch = this.#waiting;
    this.#waiting = [];
    return batch;
  }

  /** Undefined: all are busy, and whichever ends first goes on. @throws if there is none and none can be opened */
  #freeLane(): Lane | undefined {
    const free = this.#lanes.find((lane) => !lane.busy);
    if (free || this.#lanes.length >= LANES) return free;
    try {
      const lane = openLane(this.#open);
      this.#lanes.push(lane);
      return lane;
    } catch (error) {
      if (this.#lanes.length === 0) throw error;
      return undefined;
    }
  }

  /** Ends when the kernel has answered, so that the lane is not used before; those who wait go on earlier. */
  async #delete(lane: Lane, batch: readonly Waiting[]): Promise<void> {
    const state = { answered: false };
    try {
      const answer = lane.work.runAsync(this.#ops(batch)).finally(() => {
        state.answered = true;
      });
      const told = answer.then((failures) => tellRest(batch, failures));
      await Promise.all([told, tellGone(lane.probe, batch, state)]);
    } catch (error) {
      for (const { done } of batch) done.reject(error);
    }
  }

  #ops(batch: readonly Waiting[]): NetlinkOp[] {
    const [first] = batch;
    if (first && batch.length === 1) return [{ op: 'link.del', name: first.name }];
    const group = FIRST_GROUP + (this.#group++ % GROUPS);
    const joins = batch.map(({ name }): NetlinkOp => ({ op: 'link.set', name, change: { group } }));
    return [...joins, { op: 'link.delGroup', group }];
  }

  [Symbol.dispose](): void {
    for (const { work, probe } of this.#lanes) {
      work.close();
      probe.close();
    }
  }
}

/** Both handles, or none. */
function openLane(open: () => Netlink): Lane {
  using stack = new DisposableStack();
  const lane = { work: stack.use(open()), probe: stack.use(open()), busy: false };
  stack.move();
  return lane;
}

/** Who was not told yet: the kernel's word is final. A name that is there may be a new interface's by now. */
function tellRest(batch: readonly Waiting[], failures: readonly OpFailure[]): void {
  const failure = failures.find(({ code }) => code !== 'ENODEV');
  for (const { done } of batch) {
    if (failure) done.reject(refused(failure));
    else done.resolve();
  }
}

/**
 * Tells each that waits as soon as its interface cannot be found. The question waits for the rtnl lock on another
 * thread, that is for the deletion, not for RCU.
 */
async function tellGone(
  probe: Netlink,
  batch: readonly Waiting[],
  state: { readonly answered: boolean },
): Promise<void> {
  let left = batch;
  while (left.length > 0 && !state.answered) {
    // Setting up what is up changes nothing; ENODEV is the answer that is waited for.
    const ask = left.map(({ name }): NetlinkOp => ({ op: 'link.set', name, change: { up: true } }));
    const failures = await probe.runAsync(ask);
    const gone = new Set(failures.filter(({ code }) => code === 'ENODEV').map(({ op }) => op));
    left.forEach(({ done }, i) => {
      const asked = ask[i];
      if (asked && gone.has(asked)) done.resolve();
    });
    left = left.filter((_, i) => !(ask[i] && gone.has(ask[i])));
  }
}

export function refused(failure: OpFailure): PolderError {
  return new PolderError('kernel-refused', { command: printOp(failure.op), reason: failure.text ?? failure.code });
}
