/** What everything that a kubelet does for one pod needs of the kubelet. */

import type { Logger } from 'pino';
import type { CniRuntime } from '#cni/runtime/runtime.ts';
import type { ImageStore } from '#lab/images/image-store.ts';
import type { EventRecorder } from '#lab/kubelet/events.ts';
import type { KubeletOptions } from '#lab/kubelet/options.ts';
import type { RunnablePod } from '#lab/kubelet/pod.ts';
import type { Layout } from '#lab/kubelet/runtime/layout.ts';
import type { OciRuntime } from '#lab/kubelet/runtime/oci-runtime.ts';
import type { Semaphore } from '#lab/kubelet/semaphore.ts';
import type { PodSources } from '#lab/kubelet/sources.ts';
import type { StatusWriter } from '#lab/kubelet/status-writer.ts';

export interface NodeFacts {
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Capabilities of the kubelet's bounding set: `CAP_NET_RAW`… */
  readonly capabilities: ReadonlySet<string>;
  readonly hasMemoryController: boolean;
  readonly hasCpuController: boolean;
  /** The machine's /etc/resolv.conf and /etc/hosts. */
  readonly resolvConf: string;
  readonly hosts: string;
}

export interface KubeletContext {
  readonly options: KubeletOptions;
  readonly layout: Layout;
  readonly runtime: OciRuntime;
  readonly images: ImageStore;
  readonly cni: Pick<CniRuntime, 'add' | 'del'>;
  readonly sources: PodSources;
  readonly events: EventRecorder;
  readonly statuses: Pick<StatusWriter, 'submit' | 'forget'>;
  readonly log: Logger;
  readonly facts: NodeFacts;
  readonly programs: { readonly pause: string; readonly tend: string };
  /** The address of a pod of this node, once it has one. */
  readonly podIp: (uid: string) => string | undefined;
  /** How many containers start at the same time. */
  readonly starting: Semaphore;
  /** Takes the pod out of the API, when nothing of it is left here. */
  readonly release: (pod: RunnablePod) => Promise<void>;
}
