/** What plugins need that come after others in a chain: the result so far, and what it says of the pod's interface. */

import type { PluginCall } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';
import type { CniIp, CniResult } from '#wire/cni/result.ts';

/** @throws PolderError cni-config (CNI code 7) if the plugin is called as the first of a chain. */
export function needPrevResult({ conf, request }: PluginCall): CniResult {
  if (conf.prevResult) return conf.prevResult;
  const what = `prevResult is missing: ${conf.type} comes after the plugin that makes the interface`;
  throw new PolderError('cni-config', {
    what: request.command === 'CHECK' ? `${what}, and CHECK compares with it` : what,
  });
}

/** The addresses of the interface; those of which the result does not say where they are count as its own. */
export function ipsOf(result: CniResult, ifname: string): CniIp[] {
  return result.ips.filter((ip) => {
    const on = ip.interface === undefined ? undefined : result.interfaces[ip.interface];
    return on === undefined || (on.name === ifname && on.sandbox !== undefined);
  });
}

/** @throws PolderError cni-check (CNI code 112) naming every difference. */
export function failOn(differences: readonly string[], { request }: PluginCall): void {
  if (differences.length === 0) return;
  throw new PolderError('cni-check', { container: request.containerId, what: differences.join('; ') });
}
