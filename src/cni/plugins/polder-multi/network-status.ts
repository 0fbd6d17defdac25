/** The annotation network-status: what the pod got (De-facto Standard v1.3, §5). */

import type { Attachment } from '#cni/plugins/polder-multi/attachment.ts';
import { waysOut } from '#cni/plugins/polder-multi/default-route.ts';
import { addrOf } from '#net/prefix.ts';
import type { CniDns, CniResult } from '#wire/cni/result.ts';

export interface Attached {
  readonly attachment: Pick<Attachment, 'network' | 'isDefault' | 'ifname' | 'defaultRoute'>;
  readonly result: CniResult;
}

interface NetworkStatus {
  readonly name: string;
  readonly interface: string;
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly mtu?: number;
  readonly default?: boolean;
  readonly dns: CniDns;
  /** Of the default routes by this network. */
  readonly gateway?: readonly string[];
}

/** JSON, indented as people expect to read it with `kubectl describe`. */
export function networkStatus(attached: readonly Attached[]): string {
  return JSON.stringify(attached.map(statusOf), null, 4);
}

function statusOf({ attachment, result }: Attached): NetworkStatus {
  const gateway = waysOut({ attachment, result });
  const { network, ifname, isDefault } = attachment;
  const index = result.interfaces.findIndex(({ name, sandbox }) => name === ifname && sandbox !== undefined);
  const own = result.interfaces[index];
  const ips = result.ips
    .filter((ip) => ip.interface === undefined || ip.interface === index)
    .map(({ address }) => addrOf(address));
  return {
    name: network,
    interface: ifname,
    ...(ips.length > 0 && { ips }),
    ...(own?.mac && { mac: own.mac }),
    ...(own?.mtu && { mtu: own.mtu }),
    ...(isDefault && { default: true }),
    dns: result.dns,
    ...(gateway.length > 0 && { gateway }),
  };
}
