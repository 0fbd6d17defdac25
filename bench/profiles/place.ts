/** A real lab of two nodes with pods of its own, as places that a probe can be run in. */

import { spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Place } from '#bench/path/topology.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { openNetns } from '#kernel/netns/netns.ts';

import { labPaths, nodeNetns } from '#lab/names.ts';
import { requireLab } from '#lab/state.ts';
import { patience, type TrialPod, type World, withWorld } from '#lab/verify/world.ts';
import { parseAddr } from '#net/addr.ts';

const POLDER = fileURLToPath(new URL('../../polder', import.meta.url));

/** Where the probes run. */
export interface LabPlaces {
  /** The two nodes themselves: the bare underlay. */
  readonly nodes: readonly [Place, Place];
  /** Two pods of the first node. */
  readonly near: readonly [Place, Place];
  /** A pod of the second node. */
  readonly far: Place;
}

/**
 * Brings a lab up, hands its places over, and takes the lab down whatever happens.
 * @throws Error with what `lab up` said, where the kernel cannot do what the profile needs
 */
export async function onLab<T>(
  args: readonly string[],
  signal: AbortSignal,
  run: (places: LabPlaces) => Promise<T>,
): Promise<T> {
  const name = `bench${process.pid}`;
  try {
    await polder('lab', 'up', '--name', name, '--nodes', '2', '-y', ...args);
    using client = new ApiClient(loadKubeconfig(labPaths(name).kubeconfig));
    return await withWorld({ spec: requireLab(name), client, signal, patience: patience() }, (world) =>
      atPlaces(world, run),
    );
  } finally {
    await polder('lab', 'down', '--name', name, '-y');
  }
}

async function atPlaces<T>(world: World, run: (places: LabPlaces) => Promise<T>): Promise<T> {
  using stack = new DisposableStack();
  const [a, b] = world.nodes.map((node) => ({
    netns: stack.use(openNetns({ name: nodeNetns(world.spec.name, node.name) })),
    addr: node.addr,
  }));
  const pods: Place[] = [];
  for (const pod of world.pods) pods.push(await podPlace(stack, world, pod));
  const [first, second, far] = pods;
  if (!a || !b || !first || !second || !far) throw new Error('The lab has not two nodes and three pods.');
  return await run({ nodes: [a, b], near: [first, second], far });
}

/** The pod names its namespace; a process of the machine that is in it leads there. */
async function podPlace(stack: DisposableStack, world: World, pod: TrialPod): Promise<Place> {
  const { stdout } = await world.exec(pod, 'side', ['readlink', '/proc/self/ns/net']);
  const netns = stdout.trim();
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && netnsOf(entry) === netns);
  if (pid === undefined) throw new Error(`No process of this machine is in ${netns} of pod ${pod.name}.`);
  return { netns: stack.use(openNetns({ pid: Number(pid) })), addr: parseAddr(pod.ip) };
}

/** Undefined for a process that has ended meanwhile. */
function netnsOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

function polder(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(POLDER, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
    });
    child.on('close', (status) => (status === 0 ? resolve() : reject(new Error(said.trim()))));
  });
}
