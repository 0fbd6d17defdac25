/** Since when nodes are missed that a block speaks of: kept on the block itself, node by node. */

import { timestamp, type World } from '#serve/controller/world.ts';
import type { Block } from '#spec/block.ts';
import type { IpamBlock } from '#spec/calico.ts';
import { NODES } from '#spec/k8s.ts';

/** When each was first missed: `{"node3":"2026-01-01T00:00:00Z"}`. */
export const MISSED_ANNOTATION = 'polder.dev/node-missed-since';

/** Node -> RFC 3339. */
export type Marks = ReadonlyMap<string, string>;

/** What cannot be read is no mark: the time begins anew. */
export function marksOf({ metadata }: IpamBlock): Marks {
  try {
    const marks: unknown = JSON.parse(metadata.annotations?.[MISSED_ANNOTATION] ?? '{}');
    const entries = typeof marks === 'object' && marks !== null ? Object.entries(marks) : [];
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return new Map();
  }
}

/** The annotation as a patch has it; null removes it. */
export function marksText(marks: Marks): string | null {
  return marks.size === 0 ? null : JSON.stringify(Object.fromEntries(marks));
}

/** The marks as they should be now: nodes that are missed keep theirs, those that returned lose it. */
export function marksFor(gone: readonly string[], before: Marks, world: World): Marks {
  return new Map(gone.map((node) => [node, before.get(node) ?? timestamp(world.now)]));
}

/** Nodes that the block speaks of and that are no more; its owner last. */
export function missing(world: World, { owner, given }: Block): string[] {
  const users = new Set([...given.values()].map(({ node }) => node));
  if (owner !== undefined) {
    users.delete(owner);
    users.add(owner);
  }
  return [...users].filter((node) => node !== '' && !world.of(NODES).has(node));
}
