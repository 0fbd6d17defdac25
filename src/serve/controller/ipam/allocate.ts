/** Finds a node a part of the cluster's network that overlaps nothing given before. */

import { lengthOf, overlaps, type Prefix, subnetAt } from '#net/prefix.ts';

/** The network that nodes' parts are taken from. */
export interface Range {
  readonly cluster: Prefix;
  /** Prefix length of a node's part. */
  readonly length: number;
}

/** Parts of the range. The first is never given: so node1 gets 10.244.1.0/24, as people expect to read it. */
export function partsOf({ cluster, length }: Range): number {
  return 2 ** Math.min(32, length - lengthOf(cluster));
}

/**
 * The preferred part if it is free, else the lowest free one; undefined when there is none.
 * @param taken every network given to any node, inside the range or not.
 */
export function allocate(range: Range, taken: readonly Prefix[], preferred: number | undefined): Prefix | undefined {
  const relevant = taken.filter((prefix) => overlaps(prefix, range.cluster));
  // Mostly parts of the very same length: those are compared as text, which keeps a large cluster quick.
  const same = new Set(relevant.filter((prefix) => lengthOf(prefix) === range.length));
  const other = relevant.filter((prefix) => lengthOf(prefix) !== range.length);
  const free = (index: number): Prefix | undefined => {
    const part = subnetAt(range.cluster, range.length, index);
    return same.has(part) || other.some((prefix) => overlaps(prefix, part)) ? undefined : part;
  };
  const parts = partsOf(range);
  const wanted = preferred !== undefined && preferred >= 1 && preferred < parts ? free(preferred) : undefined;
  if (wanted !== undefined) return wanted;
  for (let index = 1; index < parts; index++) {
    const part = free(index);
    if (part !== undefined) return part;
  }
  return undefined;
}
