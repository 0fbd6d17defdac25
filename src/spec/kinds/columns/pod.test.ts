import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { POD_COLUMNS } from '#spec/kinds/columns/pod.ts';
import type { JsonObject } from '#spec/kinds/json.ts';

const NOW = Date.parse('2030-01-01T00:10:00Z');
const RUNNING = { running: { startedAt: '2030-01-01T00:00:00Z' } };

function status(name: string, state: JsonObject, more: JsonObject = {}): JsonObject {
  return { name, state, ready: false, restartCount: 0, ...more };
}

interface Case {
  readonly name: string;
  readonly containers?: number;
  readonly spec?: JsonObject;
  readonly status: JsonObject;
  readonly metadata?: JsonObject;
  /** READY, STATUS, RESTARTS */
  readonly want: readonly [string, string, string];
}

const CASES: readonly Case[] = [
  { name: 'waits for a node', status: { phase: 'Pending' }, want: ['0/1', 'Pending', '0'] },
  {
    name: 'is being created',
    status: { phase: 'Pending', containerStatuses: [status('c0', { waiting: { reason: 'ContainerCreating' } })] },
    want: ['0/1', 'ContainerCreating', '0'],
  },
  {
    name: 'runs and is ready',
    status: { phase: 'Running', containerStatuses: [status('c0', RUNNING, { ready: true })] },
    want: ['1/1', 'Running', '0'],
  },
  {
    name: 'crashes again and again',
    status: {
      phase: 'Running',
      containerStatuses: [
        status(
          'c0',
          { waiting: { reason: 'CrashLoopBackOff' } },
          { restartCount: 3, lastState: { terminated: { finishedAt: '2030-01-01T00:09:30Z' } } },
        ),
      ],
    },
    want: ['0/1', 'CrashLoopBackOff', '3 (30s ago)'],
  },
  {
    name: 'is completed',
    status: {
      phase: 'Succeeded',
      containerStatuses: [status('c0', { terminated: { exitCode: 0, reason: 'Completed' } })],
    },
    want: ['0/1', 'Completed', '0'],
  },
  {
    name: 'failed without a reason',
    status: { phase: 'Failed', containerStatuses: [status('c0', { terminated: { exitCode: 3 } })] },
    want: ['0/1', 'ExitCode:3', '0'],
  },
  {
    name: 'was killed by a signal',
    status: { phase: 'Failed', containerStatuses: [status('c0', { terminated: { exitCode: 137, signal: 9 } })] },
    want: ['0/1', 'Signal:9', '0'],
  },
  {
    name: 'has one container that ended beside one that runs',
    containers: 2,
    status: {
      phase: 'Running',
      containerStatuses: [
        status('c0', { terminated: { exitCode: 0, reason: 'Completed' } }),
        status('c1', RUNNING, { ready: true }),
      ],
    },
    want: ['1/2', 'NotReady', '0'],
  },
  {
    name: 'initialises',
    spec: { initContainers: [{ name: 'i0' }, { name: 'i1' }] },
    status: {
      phase: 'Pending',
      initContainerStatuses: [status('i0', { terminated: { exitCode: 0 } }), status('i1', RUNNING)],
      containerStatuses: [status('c0', { waiting: { reason: 'PodInitializing' } })],
    },
    want: ['0/1', 'Init:1/2', '0'],
  },
  {
    name: 'cannot initialise',
    spec: { initContainers: [{ name: 'i0' }] },
    status: {
      phase: 'Pending',
      initContainerStatuses: [status('i0', { terminated: { exitCode: 1, reason: 'Error' } }, { restartCount: 2 })],
    },
    want: ['0/1', 'Init:Error', '2'],
  },
  {
    name: 'has a sidecar',
    spec: { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
    status: {
      phase: 'Running',
      initContainerStatuses: [status('s', RUNNING, { started: true, ready: true })],
      containerStatuses: [status('c0', RUNNING, { ready: true })],
    },
    want: ['2/2', 'Running', '0'],
  },
  {
    name: 'terminates',
    metadata: { deletionTimestamp: '2030-01-01T00:10:00Z' },
    status: { phase: 'Running', containerStatuses: [status('c0', RUNNING, { ready: true })] },
    want: ['1/1', 'Terminating', '0'],
  },
  {
    name: 'is on a node that is lost',
    metadata: { deletionTimestamp: '2030-01-01T00:10:00Z' },
    status: { phase: 'Running', reason: 'NodeLost' },
    want: ['0/1', 'Unknown', '0'],
  },
  { name: 'was evicted', status: { phase: 'Failed', reason: 'Evicted' }, want: ['0/1', 'Evicted', '0'] },
];

describe('columns of a pod that', () => {
  for (const { name, containers = 1, spec = {}, metadata = {}, status: said, want } of CASES) {
    it(name, () => {
      const list = Array.from({ length: containers }, (_, index) => ({ name: `c${index}` }));
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', ...metadata },
        spec: { containers: list, ...spec },
        status: said,
      };
      const cells = POD_COLUMNS.map((column) => column.cell(pod, NOW));
      assert.deepEqual(cells.slice(1, 4), want);
    });
  }
});
