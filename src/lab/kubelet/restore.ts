/** Pods that an earlier life of this kubelet ran: found on disk and among the processes. */

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { allContainers, type RunnablePod } from '#lab/kubelet/pod.ts';
import {
  attemptsOf,
  type ContainerPlace,
  type ContainerRecord,
  readContainer,
} from '#lab/kubelet/runtime/container.ts';
import { readJson, readText } from '#lab/kubelet/runtime/disk.ts';
import type { Layout } from '#lab/kubelet/runtime/layout.ts';
import { readSandbox, type Sandbox } from '#lab/kubelet/runtime/sandbox.ts';

export interface FoundPod {
  readonly pod: RunnablePod;
  readonly sandbox?: Sandbox;
  /** Records of the last two starts of each container, ascending. */
  readonly containers: ReadonlyMap<string, readonly ContainerRecord[]>;
}

/** Every pod that has a folder. A folder in which not even the pod's own object is readable is removed. */
export function findPods(layout: Layout): FoundPod[] {
  return uidsOf(layout).flatMap((uid) => {
    const pod = readJson<RunnablePod>(join(layout.pod(uid), 'pod.json'));
    if (pod === undefined) {
      // Nothing is made for a pod before that file is in place.
      rmSync(layout.pod(uid), { recursive: true, force: true });
      return [];
    }
    return [foundPod(layout, pod)];
  });
}

function uidsOf(layout: Layout): string[] {
  try {
    return readdirSync(layout.pods);
  } catch {
    return []; // the first start
  }
}

function foundPod(layout: Layout, pod: RunnablePod): FoundPod {
  const { uid } = pod.metadata;
  const names = allContainers(pod).map((c) => c.name);
  const containers = new Map(names.map((name) => [name, recordsOf(layout, uid, name)]));
  const sandbox = readSandbox(layout, uid);
  return { pod, containers, ...(sandbox && { sandbox }) };
}

function recordsOf(layout: Layout, uid: string, name: string): ContainerRecord[] {
  const places = attemptsOf(layout, uid, name).map((attempt) => ({ uid, name, attempt }));
  return places.flatMap((place) => keptRecord(layout, place) ?? []).slice(-2);
}

/** A start that was cut off before the runtime had made a process never happened: it must not count as a failure. */
function keptRecord(layout: Layout, place: ContainerPlace): ContainerRecord | undefined {
  const record = readContainer(layout, place);
  const dir = layout.container(place.uid, place.name, place.attempt);
  const neverRan = readText(join(dir, 'pid')) === undefined && record?.exit?.reason === 'ContainerStatusUnknown';
  if (record !== undefined && !neverRan) return record;
  rmSync(dir, { recursive: true, force: true });
  return undefined;
}
