/** Throw-away network namespaces for tests: without a name, so that nothing is left even when the test is killed. */

import { inNewNetns, openThreadNetns } from '#kernel/netns/enter.ts';
import { heldNetns, type Netns } from '#kernel/netns/netns.ts';

/** Why kernel tests cannot run here, or false: for the `skip` option of `node:test`. */
export const noKernel: string | false = process.getuid?.() === 0 ? false : 'needs root: it makes network namespaces';

/** A new namespace that only this descriptor holds. */
export function scratchNetns(): Netns {
  return heldNetns(inNewNetns(openThreadNetns), 'scratch');
}
