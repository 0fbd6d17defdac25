/** What the CNI plugin `polder` must know of its node to attach a pod. The agent derives it from the snapshot. */

import type { Prefix } from '#net/prefix.ts';
import type { Attachment } from '#spec/endpoint.ts';

export interface NodeNetwork {
  readonly attachment: Attachment;
  /** Where pods' addresses come from: `podCidrs`, or what the node holds of IPPools. Absent: `podCidrs`. */
  readonly ipam?: 'node-cidr' | 'pools';
  /** Name of the bridge, for attachment 'bridge'. */
  readonly bridge: string;
  /** Prefix of the host's ends of veths: 'cali' or 'veth'. */
  readonly hostIfPrefix: string;
  /** Networks that pods of this node get their addresses from; one a family, IPv4 first. */
  readonly podCidrs: readonly Prefix[];
  /** Of pods' interfaces, bytes. */
  readonly mtu: number;
}
