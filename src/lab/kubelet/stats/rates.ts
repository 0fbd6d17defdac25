/** CPU time as a rate: from how much was used between two looks. */

export interface Look {
  /** ms since 1970. */
  readonly at: number;
  readonly cpuNs: number;
}

export interface Rate {
  readonly nanoCores: number;
  /** Over which it was counted. */
  readonly windowMs: number;
}

/** Two looks that are nearer say little. */
const NEAREST_MS = 5_000;
/** Two are enough: the newest may be too near. */
const KEPT = 2;

export class Rates {
  readonly #looks = new Map<string, Look[]>();

  /** A look of the regular ones; forgets all that is not in `looks`. */
  note(looks: ReadonlyMap<string, Look>): void {
    for (const id of this.#looks.keys()) if (!looks.has(id)) this.#looks.delete(id);
    for (const [id, look] of looks) this.#looks.set(id, [look, ...(this.#looks.get(id) ?? [])].slice(0, KEPT));
  }

  /** Since the newest look that is far enough; `born`: when the counter began at 0, for what nobody has looked at yet. */
  rate(id: string, { at, cpuNs }: Look, born: number): Rate {
    const looks = this.#looks.get(id) ?? [];
    const oldest = looks.length < KEPT ? { at: born, cpuNs: 0 } : looks.at(-1);
    const base = looks.find((look) => at - look.at >= NEAREST_MS) ?? oldest ?? { at: born, cpuNs: 0 };
    const windowMs = Math.max(1, at - base.at);
    return { nanoCores: Math.max(0, Math.round(((cpuNs - base.cpuNs) / windowMs) * 1000)), windowMs };
  }
}
