/** That a call which was refused, or undone, has left nothing. */

import { need } from '#cni/conformance/outcome.ts';
import type { Snapshot } from '#cni/conformance/snapshot.ts';
import type { Pod, Trial } from '#cni/conformance/trial.ts';

/** Node, pods and files are as they were. @throws Unmet */
export async function unchanged(trial: Trial, before: Snapshot, ...pods: readonly Pod[]): Promise<void> {
  const left = await trial.changed(before, ...pods);
  need(left.length === 0, 'all to be as before', () => left.join('\n'));
}
