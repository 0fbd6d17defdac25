/** What the CNI server of a node knows of a pod's interface: it recorded this before it touched the kernel. */

import type { Addr } from '#net/addr.ts';
import type { Mac } from '#net/mac.ts';

export type Attachment = 'routed' | 'bridge';

export interface LocalEndpoint {
  /** CNI_CONTAINERID: together with `ifname` the key. */
  readonly containerId: string;
  /** CNI_IFNAME: the name inside the pod. */
  readonly ifname: string;
  /** Network name of the conflist. */
  readonly network: string;
  readonly attachment: Attachment;
  /** The host's end of the veth. */
  readonly hostIfname: string;
  readonly addrs: readonly Addr[];
  /** The pod's end. */
  readonly mac: Mac;
  /** K8S_POD_NAMESPACE and K8S_POD_NAME, where the caller said them. */
  readonly podNamespace?: string;
  readonly podName?: string;
}
