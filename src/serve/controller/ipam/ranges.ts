/** Reads the cluster's networks from what a person wrote, and refuses what could not work. */

import { bitsOf } from '#net/addr.ts';
import { lengthOf, type Prefix, parsePrefix, prefixFamily } from '#net/prefix.ts';
import type { Range } from '#serve/controller/ipam/allocate.ts';
import { PolderError } from '#spec/errors.ts';

/** Prefix length of a node's part, by family. */
export interface NodeCidrSize {
  readonly 4: number;
  readonly 6: number;
}

/** Bits of the index of parts: more than this many nodes nobody has (Kubernetes' own limit is the same). */
const MOST_INDEX_BITS = 16;

/**
 * `10.244.0.0/16` or `10.244.0.0/16,fd00:10:244::/48`.
 * @throws PolderError 'cidr-invalid'
 */
export function readClusterCidrs(text: string): Prefix[] {
  const prefixes = text.split(',').map((part) => prefixOf(part.trim()));
  const [first, second] = prefixes;
  if (prefixes.length > 2 || (first && second && prefixFamily(first) === prefixFamily(second))) {
    throw invalid(`"${text}" names more than one network of a family`);
  }
  return prefixes;
}

/**
 * The network with the size of nodes' parts.
 * @throws PolderError 'cidr-invalid' if there is no room for even one node, or a part has none for a pod.
 */
export function rangeOf(cluster: Prefix, size: NodeCidrSize): Range {
  const family = prefixFamily(cluster);
  const [length, most] = [size[family], bitsOf(family) - 2];
  if (!Number.isInteger(length) || length <= lengthOf(cluster) || length > most) {
    throw invalid(
      `A node's part of ${cluster} cannot be a /${length}: it is longer than /${lengthOf(cluster)} and at most /${most}`,
    );
  }
  if (length - lengthOf(cluster) > MOST_INDEX_BITS) {
    throw invalid(`${cluster} in parts of /${length} is more than ${2 ** MOST_INDEX_BITS} nodes: choose larger parts`);
  }
  return { cluster, length };
}

function prefixOf(text: string): Prefix {
  try {
    return parsePrefix(text);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

function invalid(what: string): PolderError {
  return new PolderError('cidr-invalid', { what: `${what}.` });
}
