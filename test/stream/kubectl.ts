import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import type { Cluster } from '#test/stream/cluster.ts';

/** One installed kubectl. Old ones stream over SPDY, new ones over WebSocket. */
export interface Kubectl {
  readonly name: string;
  readonly path: string;
}

const SDK = '/usr/lib/google-cloud-sdk/bin';

/** Where kubectls are found: the system's own, and the versions that the Google Cloud SDK brings. */
const CANDIDATES: readonly Kubectl[] = [
  { name: 'kubectl', path: '/usr/bin/kubectl' },
  ...['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33'].map((version) => ({
    name: `kubectl ${version}`,
    path: `${SDK}/kubectl.${version}`,
  })),
];

export const KUBECTLS = CANDIDATES.filter(({ path }) => existsSync(path));

/** One of the oldest and one of the newest protocols, where both are there. */
export const KUBECTL_ENDS = KUBECTLS.filter(({ name }, _, all) => {
  const versions = all.map((kubectl) => kubectl.name).filter((each) => each !== 'kubectl');
  return versions.length === 0 ? name === 'kubectl' : name === versions[0] || name === versions.at(-1);
});

export interface Result {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** `before`: what stands before kubectl's own arguments, where another program starts it. */
export function start(
  kubectl: Kubectl,
  cluster: Cluster,
  args: readonly string[],
  before: readonly string[] = [],
): ChildProcessWithoutNullStreams {
  return spawn(kubectl.path, [...before, ...cluster.flags, ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: cluster.directory, KUBECONFIG: '/dev/null' },
  });
}

/** Runs kubectl to its end, with `input` as its stdin. */
export async function run(
  kubectl: Kubectl,
  cluster: Cluster,
  args: readonly string[],
  input: Uint8Array | string = '',
): Promise<Result> {
  const child = start(kubectl, cluster, args);
  child.stdin.on('error', () => undefined).end(input);
  const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr: stderr.toString() };
}
