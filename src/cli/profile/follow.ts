/** Watches the nodes of a cluster until each goes by the new profile. */

import { type NodeProgress, progressOf } from '#calc/profiles/change.ts';
import type { Settings } from '#cli/profile/cluster.ts';
import type { ApiClient } from '#feed/client.ts';
import { PolderError } from '#spec/errors.ts';
import { conditionOf, NODES, type Node } from '#spec/k8s.ts';

/** @throws the signal's reason; PolderError 'profile-unfinished' when the time is over */
export async function whenChanged(
  client: ApiClient,
  settings: Settings,
  signals: { readonly stop: AbortSignal; readonly deadline: AbortSignal },
  tell: (progress: readonly NodeProgress[]) => void,
): Promise<void> {
  const nodes = new Map<string, Node>();
  const signal = AbortSignal.any([signals.stop, signals.deadline]);
  try {
    for (;;) {
      for await (const event of client.watch(NODES, { signal })) {
        if (event.type === 'BOOKMARK') continue;
        const name = event.object.metadata.name ?? '';
        if (event.type === 'DELETED') nodes.delete(name);
        else nodes.set(name, event.object);
        const progress = progressOf(settings.viewOf([...nodes.values()]));
        tell(progress);
        if (await isWhole(client, nodes, progress, signal)) return;
      }
      signal.throwIfAborted();
    }
  } catch (error) {
    signals.stop.throwIfAborted();
    if (!signals.deadline.aborted) throw error;
    throw unfinished(progressOf(settings.viewOf([...nodes.values()])), nodes);
  }
}

/** The watch begins with every node there is, one after the other: the end is not believed before they are all there. */
async function isWhole(
  client: ApiClient,
  nodes: ReadonlyMap<string, Node>,
  progress: readonly NodeProgress[],
  signal: AbortSignal,
): Promise<boolean> {
  if (!progress.every(({ state }) => state === 'done')) return false;
  const { items } = await client.list(NODES, { signal });
  return items.every(({ metadata }) => nodes.has(metadata.name ?? ''));
}

function unfinished(progress: readonly NodeProgress[], nodes: ReadonlyMap<string, Node>): PolderError {
  const late = progress.filter(({ state }) => state !== 'done').map(({ node }) => node);
  const away = late.filter((name) => {
    const conditions = nodes.get(name)?.status?.conditions;
    return conditionOf(conditions, 'Ready')?.status !== 'True';
  });
  const who = away.length > 0 ? `${away.join(', ')} (not ready)` : late.join(', ');
  return new PolderError('profile-unfinished', { nodes: who });
}
