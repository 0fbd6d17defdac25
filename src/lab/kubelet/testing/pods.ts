/** Pods and views for tests, with only what a test cares about spelled out. */

import type { PodContainer, RunnablePod, RunnablePodSpec } from '#lab/kubelet/pod.ts';
import type { ContainerExit, ContainerRecord } from '#lab/kubelet/runtime/container.ts';
import type { ContainerView, PodView, SandboxView } from '#lab/kubelet/status/view.ts';

export const NOW = Date.parse('2026-01-02T03:04:05Z');
export const SANDBOX: SandboxView = { id: 'box', attempt: 0, state: 'ready', ips: ['10.244.1.5'] };

export function testPod(spec: Partial<RunnablePodSpec> = {}, meta: Partial<RunnablePod['metadata']> = {}): RunnablePod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'u-1', ...meta },
    spec: { nodeName: 'node1', containers: [testContainer('c')], ...spec },
  };
}

export function testContainer(name: string, more: Partial<PodContainer> = {}): PodContainer {
  return { name, image: 'busybox', ...more };
}

export function testRecord(name: string, more: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id: `${name}-id`,
    name,
    attempt: 0,
    sandboxId: 'box',
    image: 'docker.io/library/busybox:latest',
    imageId: 'machine://busybox',
    createdAt: '2026-01-02T03:00:00Z',
    ...more,
  };
}

const STARTED = '2026-01-02T03:00:01Z';

export function running(name: string, more: Partial<ContainerView> = {}): ContainerView {
  return { latest: testRecord(name, { startedAt: STARTED, pid: 42 }), started: true, ready: true, ...more };
}

export function ended(name: string, code: number, more: Partial<ContainerView> = {}): ContainerView {
  const exit: ContainerExit = {
    code,
    signal: 0,
    finishedAt: '2026-01-02T03:02:00.5Z',
    reason: code === 0 ? 'Completed' : 'Error',
  };
  return { latest: testRecord(name, { startedAt: STARTED, pid: 42, exit }), started: false, ready: false, ...more };
}

export function testView(
  pod: RunnablePod,
  containers: Readonly<Record<string, ContainerView>> = {},
  more: Partial<PodView> = {},
): PodView {
  return { pod, ending: false, sandbox: SANDBOX, containers: new Map(Object.entries(containers)), now: NOW, ...more };
}
