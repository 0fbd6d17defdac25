/** What plugins need that come after others in a chain: the result so far, and what it says of the pod's interface. */

import type { PluginCall } from '#cni/plugin.ts';
import { PolderError } from '#spec/errors.ts';
import type { CniInterface, CniIp, CniResult } from '#wire/cni/result.ts';

/** @throws PolderError cni-config (CNI code 7) if the plugin is called as the first of a chain. */
export function needPrevResult({ conf, request }: PluginCall): CniResult {
  if (conf.prevResult) return conf.prevResult;
  const what = `prevResult is missing: ${conf.type} comes after the plugin that makes the interface`;
  throw new PolderError('cni-config', {
    what: request.command === 'CHECK' ? `${what}, and CHECK compares with it` : what,
  });
}

/** The addresses of the interface, which goes by its name; those of which the result does not say where they are are its own. */
export function ipsOf(result: CniResult, ifname: string): CniIp[] {
  return result.ips.filter((ip) => {
    const on = interfaceOf(result, ip);
    return on === undefined || on.name === ifname;
  });
}

/** The same, but where the result names the interface it must also say that it is in the pod. */
export function ipsInSandbox(result: CniResult, ifname: string): CniIp[] {
  return ipsOf(result, ifname).filter((ip) => {
    const on = interfaceOf(result, ip);
    return on === undefined || on.sandbox !== undefined;
  });
}

/** The addresses of the pod, on whichever of its interfaces: all but those of interfaces of the node. */
export function podIpsOf(result: CniResult, ifname: string): CniIp[] {
  return result.ips.filter((ip) => {
    const on = interfaceOf(result, ip);
    return on === undefined || on.name === ifname || on.sandbox !== undefined;
  });
}

function interfaceOf({ interfaces }: CniResult, ip: CniIp): CniInterface | undefined {
  return ip.interface === undefined ? undefined : interfaces[ip.interface];
}

/** @throws PolderError cni-check (CNI code 112) naming every difference. */
export function failOn(differences: readonly string[], { request }: PluginCall): void {
  if (differences.length === 0) return;
  throw new PolderError('cni-check', { container: request.containerId, what: differences.join('; ') });
}
