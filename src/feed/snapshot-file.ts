/**
 * The last known cluster, on disk: what an agent starts from when it is restarted while the API is away.
 *
 * What is read back is `Stale`: complete once, but nobody knows since when it is no longer true. It may add and
 * mend, never delete, so it is a type of its own that no deleting function takes.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type ClusterObjects, clusterFrom } from '#feed/cluster-view.ts';
import { readBlock, writeBlock } from '#spec/block.ts';
import type { IpamBlock } from '#spec/calico.ts';
import type { Snapshot } from '#spec/cluster.ts';
import type { Node } from '#spec/k8s.ts';

declare const staleBrand: unique symbol;

/** A value that was complete when it was saved, at `savedAt` ms since 1970. */
export type Stale<T> = T & { readonly savedAt: number; readonly [staleBrand]: true };

/** Raised when the file's shape changes; another version is not read. */
const VERSION = 3;

/** What stands in the file: what the API said, less what no snapshot is made of. */
interface Saved {
  readonly version: number;
  readonly savedAt: number;
  readonly objects: ClusterObjects;
}

/**
 * Writes the objects beside `path` and renames the file there, so that it is whole at every instant. Synchronous, so
 * that a newer one cannot be overtaken: some hundred bytes a node. `now`: ms since 1970.
 */
export function saveSnapshot(path: string, objects: ClusterObjects, now = Date.now()): void {
  const nodes = objects.nodes.map(trimNode);
  const blocks = objects.blocks.map(trimBlock);
  const file: Saved = { version: VERSION, savedAt: now, objects: { ...objects, nodes, blocks } };
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(file)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

function trimNode({ metadata: { name = '', labels = {}, annotations = {} }, spec = {}, status }: Node): Node {
  const { podCIDR, podCIDRs } = spec;
  return {
    metadata: { name, labels, annotations },
    spec: { ...(podCIDR && { podCIDR }), ...(podCIDRs && { podCIDRs }) },
    status: { addresses: status?.addresses ?? [] },
  };
}

/** Whose it is, and what others borrowed of it. */
function trimBlock(object: IpamBlock): IpamBlock {
  const block = readBlock(object);
  if (block === undefined) return object;
  const given = new Map([...block.given].filter(([, { node }]) => node !== block.owner));
  return writeBlock({ ...block, given, free: [] });
}

/**
 * The cluster as it was last saved, with this node's own view beside it.
 * Undefined if there is no file, or none that can be believed: then there is nothing to start from.
 */
export function loadSnapshot(path: string, local: Snapshot['local']): Stale<Snapshot> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  return readSnapshot(text, local);
}

/** As `loadSnapshot`, of the file's text. */
export function readSnapshot(text: string, local: Snapshot['local']): Stale<Snapshot> | undefined {
  try {
    const { version, savedAt, objects }: Saved = JSON.parse(text);
    if (version !== VERSION || typeof savedAt !== 'number') return undefined;
    const { value } = clusterFrom(objects, local.node, undefined);
    // The one place where this brand is made: it was complete when it was saved.
    return value && ({ ...value, local, savedAt } as Snapshot as Stale<Snapshot>);
  } catch {
    // Cut off, or not ours.
    return undefined;
  }
}
