/** How a container ended, with what only the kubelet can find out: lack of memory, and its termination message. */

import { join } from 'node:path';
import type { PodContainer } from '#lab/kubelet/pod.ts';
import { wasOutOfMemory } from '#lab/kubelet/runtime/cgroup.ts';
import type { ContainerExit, ContainerRecord } from '#lab/kubelet/runtime/container.ts';
import { readText } from '#lab/kubelet/runtime/disk.ts';
import type { Layout } from '#lab/kubelet/runtime/layout.ts';

/** What is kept of a termination message, bytes; of a log that stands in for it, lines and bytes. */
const MESSAGE_MAX = 4096;
const LOG_LINES = 80;
const LOG_MAX = 2048;
const SIGKILL = 9;

export interface EndedContainer {
  readonly layout: Layout;
  readonly uid: string;
  readonly container: PodContainer;
  /** With `exit`. */
  readonly record: ContainerRecord;
  readonly cgroup: string;
}

/** Must be asked while the cgroup is still there. */
export function fullExit(ended: EndedContainer): ContainerExit {
  const { record } = ended;
  const exit = record.exit ?? { code: 137, signal: SIGKILL, finishedAt: record.createdAt, reason: 'Error' };
  const isOom = exit.signal === SIGKILL && wasOutOfMemory(ended.cgroup);
  const message = exit.message ?? terminationMessage(ended, exit.code);
  return { ...exit, ...(isOom && { reason: 'OOMKilled' }), ...(message && { message }) };
}

function terminationMessage({ layout, uid, container, record }: EndedContainer, code: number): string | undefined {
  const text = readText(join(layout.container(uid, record.name, record.attempt), 'termination-log'));
  if (text) return text.slice(0, MESSAGE_MAX);
  if (container.terminationMessagePolicy !== 'FallbackToLogsOnError' || code === 0) return undefined;
  const log = readText(layout.log(uid, record.name, record.attempt)) ?? '';
  const lines = log.trimEnd().split('\n').slice(-LOG_LINES);
  return lines
    .map((line) => line.replace(/^\S+ \S+ \S+ /, ''))
    .join('\n')
    .slice(-LOG_MAX);
}
