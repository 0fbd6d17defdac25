/** Where a lab keeps what: names, files and folders, all from the lab's name. */

import { PolderError } from '#spec/errors.ts';

export const DEFAULT_LAB = 'polder';

/** State of all labs, a folder each. */
export const LABS_DIR = '/var/lib/polder/lab';
/** Sockets and process files of all labs, a folder each. */
export const LABS_RUN_DIR = '/run/polder/lab';

const NAME = /^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$/;

/** A lab's or node's name: a DNS label without dots, so that `<lab>.<node>` can be taken apart. @throws PolderError 'usage' */
export function checkName(kind: 'lab' | 'node', name: string): string {
  if (NAME.test(name)) return name;
  throw new PolderError('usage', {
    what: `"${name}" cannot be a ${kind}'s name: it takes 1 to 32 of a-z, 0-9 and "-", begins with a letter and ends with no "-".`,
  });
}

/** Every path of one lab. */
export interface LabPaths {
  readonly lab: string;
  /** Folder of the state that outlives a crash. */
  readonly dir: string;
  /** Folder of sockets and process files. */
  readonly runDir: string;
  readonly labFile: string;
  /** The administrator's, for the machine. */
  readonly kubeconfig: string;
  /** The administrator's, for a shell in a node. */
  readonly insideKubeconfig: string;
  readonly controllerKubeconfig: string;
  readonly pkiDir: string;
  readonly logsDir: string;
  readonly nodesDir: string;
  readonly imagesDir: string;
  readonly supervisorSocket: string;
  /** Its cgroup, a path below the root of a hierarchy. */
  readonly cgroup: string;
}

export function labPaths(lab: string): LabPaths {
  const dir = `${LABS_DIR}/${lab}`;
  const runDir = `${LABS_RUN_DIR}/${lab}`;
  return {
    lab,
    dir,
    runDir,
    labFile: `${dir}/lab.json`,
    kubeconfig: `${dir}/kubeconfig`,
    insideKubeconfig: `${dir}/kubeconfig-inside`,
    controllerKubeconfig: `${dir}/kubeconfig-controller`,
    pkiDir: `${dir}/pki`,
    logsDir: `${dir}/logs`,
    nodesDir: `${dir}/nodes`,
    imagesDir: `${dir}/images`,
    supervisorSocket: `${runDir}/supervisor.sock`,
    cgroup: `polder-${lab}`,
  };
}

/** Every path of one node. */
export interface NodePaths {
  readonly dir: string;
  readonly runDir: string;
  /** For its agent and kubelet. */
  readonly kubeconfig: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  readonly cniCacheDir: string;
  readonly agentDir: string;
  readonly kubeletDir: string;
  /** Its static pods: what /etc/kubernetes/manifests is elsewhere. */
  readonly manifestDir: string;
  readonly cniSocket: string;
  readonly kubeletSocket: string;
  readonly agentSocket: string;
  /** Control socket of its BIRD, where there is one: the agent makes it beside its own. */
  readonly birdSocket: string;
}

export function nodePaths(paths: LabPaths, node: string): NodePaths {
  const dir = `${paths.nodesDir}/${node}`;
  const runDir = `${paths.runDir}/${node}`;
  return {
    dir,
    runDir,
    kubeconfig: `${dir}/kubeconfig`,
    cniConfDir: `${dir}/cni/net.d`,
    cniBinDir: `${dir}/cni/bin`,
    cniCacheDir: `${dir}/cni/cache`,
    agentDir: `${dir}/agent`,
    kubeletDir: `${dir}/kubelet`,
    manifestDir: `${dir}/manifests`,
    cniSocket: `${runDir}/cni.sock`,
    kubeletSocket: `${runDir}/kubelet.sock`,
    agentSocket: `${runDir}/agent.sock`,
    birdSocket: `${runDir}/bird.ctl`,
  };
}

/** Name of the network namespace of the switches and the router between the nodes. */
export function underlayNetns(lab: string): string {
  return `${lab}.underlay`;
}

/** Name of a node's network namespace. */
export function nodeNetns(lab: string, node: string): string {
  return `${lab}.${node}`;
}
