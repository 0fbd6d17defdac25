/** The pod of a DEL: it may be gone, with all that was in it. */

import type { PluginCall, PodNetns } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';

/** Undefined if CNI_NETNS is empty or is no network namespace (any more). The caller closes it. */
export function openPodIfThere({ caller, request }: PluginCall): PodNetns | undefined {
  if (request.netns === '') return undefined;
  try {
    return caller.openPod(request.netns);
  } catch (error) {
    if (error instanceof PolderError && error.code === 'cni-netns') return undefined;
    throw error;
  }
}
