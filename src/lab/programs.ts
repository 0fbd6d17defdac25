/** Which programs a lab consists of, and with what flags each runs: the lab's specification as processes. */

import { join } from 'node:path';
import { type LabPaths, labPaths, nodeNetns, nodePaths, underlayNetns } from '#lab/names.ts';
import { type LabSpec, LOOPBACK, type NodeSpec, nodeAddrs, UNDERLAY_API_ADDR, UNDERLAY_API_PORT } from '#lab/spec.ts';
import { type Speaker, speakersOf } from '#lab/tor/setups.ts';
import type { Addr } from '#net/addr.ts';

/** A socket that the supervisor opens and keeps for a program, so that clients wait rather than fail while it restarts. */
export interface ListenSpec {
  /** Name of a network namespace; the machine's own if absent. */
  readonly netns?: string;
  readonly addr: Addr;
  readonly port: number;
}

export interface ProgramSpec {
  /** `apiserver`, `controller`, `node1/agent`, `node1/kubelet`. */
  readonly id: string;
  /** File of src/cmd that is the program; of a daemon that is not ours the program itself. */
  readonly entry: string;
  /** Present: nothing of ours, and not to be run by Node. */
  readonly foreign?: true;
  readonly args: readonly string[];
  /** Name of the network namespace that it runs in; the machine's own if absent. */
  readonly netns?: string;
  /** Its cgroup, below the root of the v2 hierarchy. */
  readonly cgroup: string;
  readonly logFile: string;
  readonly pidFile: string;
  /** Handed on as descriptors 3, 4, …, in this order. */
  readonly listen: readonly ListenSpec[];
  /** Files that must exist before it is of use to start it. */
  readonly after: readonly string[];
}

const ROOT = join(import.meta.dirname, '../..');
const NATIVE_BIN = join(ROOT, 'native/bin');

/** Where a program's entry lies, by the name of its file. */
export function entryFile(name: string): string {
  return join(ROOT, 'src/cmd', `${name}.ts`);
}

/** All programs that are to run; those of stopped nodes are not among them. */
export function labPrograms(spec: LabSpec): ProgramSpec[] {
  const paths = labPaths(spec.name);
  const nodes = spec.nodes.filter((node) => node.stopped !== true);
  return [
    apiserver(spec, paths),
    controller(spec, paths),
    ...nodes.flatMap((node) => nodePrograms(spec, paths, node)),
    ...speakersOf(spec).flatMap((speaker) => speakerPrograms(spec, paths, speaker)),
  ];
}

/** Name of a program's log below the lab's folder of logs. */
export function logName(id: string): string {
  return `${id.replace('/', '.')}.log`;
}

function common(spec: LabSpec, paths: LabPaths, id: string) {
  return { id, logFile: `${paths.logsDir}/${logName(id)}`, pidFile: `${paths.runDir}/${id}.pid`, lab: spec.name };
}

function apiserver(spec: LabSpec, paths: LabPaths): ProgramSpec {
  const listen = [
    { addr: LOOPBACK, port: spec.apiPort },
    { netns: underlayNetns(spec.name), addr: UNDERLAY_API_ADDR, port: UNDERLAY_API_PORT },
  ];
  return {
    ...common(spec, paths, 'apiserver'),
    entry: entryFile('apiserver'),
    args: [
      ...['--data', paths.dir, '--kubelet-socket-pattern', `${paths.runDir}/{node}/kubelet.sock`],
      ...['--listen-fd', '3', '--listen-fd', '4'],
    ],
    cgroup: `${paths.cgroup}/_programs`,
    listen,
    after: [`${paths.pkiDir}/apiserver.crt`],
  };
}

function controller(spec: LabSpec, paths: LabPaths): ProgramSpec {
  return {
    ...common(spec, paths, 'controller'),
    entry: entryFile('controller'),
    args: ['--kubeconfig', paths.controllerKubeconfig],
    cgroup: `${paths.cgroup}/_programs`,
    listen: [],
    after: [paths.controllerKubeconfig],
  };
}

function nodePrograms(spec: LabSpec, paths: LabPaths, node: NodeSpec): ProgramSpec[] {
  const at = nodePaths(paths, node.name);
  const shared = {
    netns: nodeNetns(spec.name, node.name),
    cgroup: `${paths.cgroup}/${node.name}/_programs`,
    listen: [],
    after: [at.kubeconfig],
  };
  const agent = ['--node', node.name, '--kubeconfig', at.kubeconfig, '--state', at.agentDir];
  const kubelet = [
    '--node',
    node.name,
    '--node-ip',
    nodeAddrs(spec, node).join(','),
    '--kubeconfig',
    at.kubeconfig,
    '--root',
    at.kubeletDir,
  ];
  return [
    {
      ...shared,
      ...common(spec, paths, `${node.name}/agent`),
      entry: entryFile('agent'),
      args: [...agent, '--cni-socket', at.cniSocket, '--status-socket', at.agentSocket, '--underlay', 'eth0'],
    },
    {
      ...shared,
      ...common(spec, paths, `${node.name}/kubelet`),
      entry: entryFile('kubelet'),
      args: [
        ...kubelet,
        ...['--socket', at.kubeletSocket, '--cgroup', `${paths.cgroup}/${node.name}`],
        ...['--cni-conf', at.cniConfDir, '--cni-bin', at.cniBinDir, '--cni-cache', at.cniCacheDir],
        ...['--cni-socket', at.cniSocket, '--image-dir', paths.imagesDir],
        ...['--manifests', at.manifestDir, '--supervisor', paths.supervisorSocket],
        ...Object.entries(node.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...node.taints.flatMap((t) => ['--taint', `${t.key}${t.value === undefined ? '' : `=${t.value}`}:${t.effect}`]),
      ],
    },
  ];
}

function speakerPrograms(spec: LabSpec, paths: LabPaths, { name, netns, dir, setup }: Speaker): ProgramSpec[] {
  const after = Object.keys(setup.files).map((file) => `${dir}/${file}`);
  return setup.programs.map((program) => ({
    ...common(spec, paths, `${name}/${program.name}`),
    ...{ entry: program.binary, foreign: true, args: program.args, after, listen: [], netns },
    cgroup: `${paths.cgroup}/_programs`,
  }));
}

export { NATIVE_BIN };
