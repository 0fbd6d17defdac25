/** What racing nodes said, and whether it can be true: no address twice at one time, none lost. */

export interface RaceOrder {
  /** Which life of the process this is: containers of different lives have different names. */
  readonly life: number;
  readonly nodes: readonly string[];
  readonly dir: string;
  readonly kubeconfig: string;
  /** Between a worker's operations, ms at most. */
  readonly pauseMs: number;
}

export interface RaceEvent {
  /** µs of the machine's monotonic clock, the same in all processes. */
  readonly t: number;
  /** `?`: about to; `start`, `have`, `all`: what a new life finds; `end`: what it has at last. */
  readonly e: 'add?' | 'add' | 'refused' | 'del?' | 'del' | 'start' | 'have' | 'all' | 'end';
  /** Node. */
  readonly n: string;
  /** Container. */
  readonly c?: string;
  /** Address. */
  readonly a?: string;
  readonly code?: string;
}

interface Holder {
  readonly node: string;
  readonly container: string;
  /** Its deletion was begun: the address may be free. */
  leaving: boolean;
}

/** Goes through a history in the order of time and tells what cannot have been. */
export class RaceHistory {
  readonly #holders = new Map<string, Holder>();
  readonly #found = new Map<string, Set<string>>();
  readonly wrong: string[] = [];
  operations = 0;
  /** How often which refusal was heard. */
  readonly refused = new Map<string, number>();

  /** Events of one node come in order; those of different nodes are compared by their times, so all are sorted first. */
  read(events: readonly RaceEvent[]): void {
    for (const event of [...events].sort((a, b) => a.t - b.t)) this.#apply(event);
  }

  /** Who has an address for certain at the end. */
  get holders(): ReadonlyMap<string, { readonly node: string; readonly container: string }> {
    return this.#holders;
  }

  #apply({ e, n, c = '', a = '', code = '' }: RaceEvent): void {
    switch (e) {
      case 'add':
        this.operations++;
        this.#take(a, n, c);
        return;
      case 'refused':
        this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
        return;
      case 'del?': {
        const holder = this.#holders.get(a);
        if (holder?.container === c) holder.leaving = true;
        return;
      }
      case 'del':
        this.operations++;
        if (this.#holders.get(a)?.container === c) this.#holders.delete(a);
        return;
      case 'start':
        this.#found.set(n, new Set());
        return;
      case 'have':
        this.#found.get(n)?.add(c);
        this.#take(a, n, c);
        return;
      case 'all':
        this.#compare(n);
        return;
      case 'end':
        if (this.#holders.get(a)?.container !== c) this.wrong.push(`${a} of ${c} on ${n} is not what was said before`);
        return;
      case 'add?':
    }
  }

  #take(addr: string, node: string, container: string): void {
    const holder = this.#holders.get(addr);
    if (holder && !holder.leaving && holder.container !== container) {
      this.wrong.push(
        `${addr} was given to ${container} on ${node} while ${holder.container} on ${holder.node} had it`,
      );
    }
    this.#holders.set(addr, { node, container, leaving: false });
  }

  /** A new life of a node must find all that its last one had said it had. */
  #compare(node: string): void {
    const found = this.#found.get(node) ?? new Set();
    for (const [addr, holder] of this.#holders) {
      if (holder.node !== node || found.has(holder.container)) continue;
      if (!holder.leaving) this.wrong.push(`${addr} of ${holder.container} on ${node} was lost`);
      this.#holders.delete(addr);
    }
  }
}
