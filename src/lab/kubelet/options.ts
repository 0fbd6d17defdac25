/** What a kubelet is told at its start; see `polder kubelet --help`. */

export interface KubeletOptions {
  readonly node: string;
  /** InternalIP. */
  readonly nodeIp: string;
  /** All of the node's addresses, one a family; `nodeIp` is the first. */
  readonly nodeIps: readonly string[];
  readonly kubeconfig: string;
  /** Its own folder, kept over restarts. */
  readonly root: string;
  /** Unix socket of its HTTP API; sockets and runtime state lie beside it. */
  readonly socket: string;
  readonly cniConf: string;
  readonly cniBin: readonly string[];
  readonly cniCache: string;
  /** The agent's CNI socket, passed to plugins as POLDER_CNI_SOCKET. */
  readonly cniSocket: string;
  /** Parent of the containers' cgroups, without a leading slash: `polder-lab/node1`. */
  readonly cgroup: string;
  readonly imageDir: string;
  /** Folder of the native programs pause and tend. */
  readonly nativeDir: string;
  readonly clusterDns: string;
  readonly clusterDomain: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `key=value:Effect`. */
  readonly taints: readonly string[];
  readonly maxPods: number;
  /** Folders of the machine that pods on its root file system may not see, beside the usual. */
  readonly hide: readonly string[];
  /** Folder of static pods, a file each; undefined: there are none. */
  readonly manifestDir?: string;
  /** Socket of the lab's supervisor, whose programs are shown as pods; undefined: nobody shows any. */
  readonly supervisor?: string;
}

export const DEFAULT_CLUSTER_DNS = '10.96.0.10';
export const DEFAULT_CLUSTER_DOMAIN = 'cluster.local';
export const DEFAULT_MAX_PODS = 110;
