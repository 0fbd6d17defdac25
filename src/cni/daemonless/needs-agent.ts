/** Stands in for a plugin that cannot work without an agent: each verb says so. */

import type { Plugin } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';

const WHAT = 'The Polder agent is not running on this node';

/** @throws from STATUS cni-not-available (CNI code 50), from all others cni-try-later (11) */
export function needsAgent(type: string): Plugin {
  const later = async () => {
    throw new PolderError('cni-try-later', { what: `${WHAT}, and the plugin ${type} needs it` });
  };
  const status = async () => {
    throw new PolderError('cni-not-available', { what: `${WHAT}, and the plugin ${type} needs it` });
  };
  return { type, add: later, del: later, check: later, gc: later, status };
}
