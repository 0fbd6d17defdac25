/** The state of the world: all that a controller may know when it decides. */

import type { KubeObject, Resource } from '#spec/k8s.ts';

export interface World {
  /** ms since 1970. */
  readonly now: number;
  /** Every object of a kind, by `namespace/name`. */
  of<T extends KubeObject>(resource: Resource<T>): ReadonlyMap<string, T>;
  /**
   * When a node's kubelet was last heard of, ms since 1970, by this controller's clock (a kubelet's clock may differ).
   * Undefined while the API is away: then nothing can be concluded from silence.
   */
  heard(node: string): number | undefined;
}

/** RFC 3339 to the second, as the API writes times. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** ms since 1970; 0 for what is absent or no time. */
export function timeOf(text: string | null | undefined): number {
  const ms = text ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? 0 : ms;
}
