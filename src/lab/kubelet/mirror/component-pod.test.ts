import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Component, componentsOf } from '#lab/components.ts';
import { componentPod, componentStatus } from '#lab/kubelet/mirror/component-pod.ts';
import { isStaticUid } from '#lab/kubelet/mirror/static-pod.ts';
import type { ProgramSpec } from '#lab/programs.ts';
import type { LabSpec } from '#lab/spec.ts';
import type { ProgramStatus } from '#lab/supervisor/keeper.ts';
import { parseAddr } from '#net/addr.ts';

const T = Date.parse('2026-01-02T03:04:05Z');
const HOST = { ips: ['192.168.1.101'], now: T, before: [] };
const RUNNING: ProgramStatus = { id: 'node1/agent', state: 'running', pid: 42, since: T, restarts: 0, failures: 0 };

function component(status: Partial<ProgramStatus> = {}): Component {
  return {
    name: 'polder-agent',
    tier: 'node',
    command: ['node', 'agent.ts'],
    logFile: '/l',
    status: { ...RUNNING, ...status },
  };
}

describe('componentPod', () => {
  it('is one of kube-system, on the network of its node, that nothing drives away', () => {
    const { metadata, spec } = componentPod(component(), 'node1', 'now');
    assert.deepEqual(
      [metadata.namespace, metadata.name, metadata.labels],
      ['kube-system', 'polder-agent-node1', { component: 'polder-agent', tier: 'node' }],
    );
    assert.ok(isStaticUid(metadata.uid));
    assert.deepEqual(
      [spec.nodeName, spec.hostNetwork, spec.priorityClassName],
      ['node1', true, 'system-node-critical'],
    );
    assert.deepEqual(spec.tolerations, [{ operator: 'Exists', effect: 'NoExecute' }]);
  });

  it('stays the same pod when its program is started again, and is another when its flags change', () => {
    const uid = (one: Component) => componentPod(one, 'node1', 'now').metadata.uid;
    assert.equal(uid(component()), uid(component({ pid: 43, restarts: 1 })));
    assert.notEqual(uid(component()), uid({ ...component(), command: ['node', 'other.ts'] }));
  });
});

describe('componentStatus', () => {
  const stateOf = (status: Partial<ProgramStatus>) => {
    const { phase, containerStatuses: [one] = [] } = componentStatus(component(status), HOST);
    return {
      phase,
      ready: one?.ready,
      restarts: one?.restartCount,
      state: one?.state,
      last: one?.lastState.terminated,
    };
  };
  const at = (ms: number) => new Date(T + ms).toISOString().replace('.000', '');

  it('of a program that runs has its start', () => {
    assert.deepEqual(stateOf({}), {
      phase: 'Running',
      ready: true,
      restarts: 0,
      state: { running: { startedAt: at(0) } },
      last: undefined,
    });
  });

  const ENDS = [
    ['exit status 3', { exitCode: 3, reason: 'Error' }],
    ['exit status 0', { exitCode: 0, reason: 'Completed' }],
    ['SIGKILL', { exitCode: 137, signal: 9, reason: 'Error' }],
    ['ended', { exitCode: 137, reason: 'ContainerStatusUnknown' }],
  ] as const;
  for (const [lastEnd, end] of ENDS)
    it(`of one that was started again after ${lastEnd} says so`, () => {
      const lastRun = { from: T - 60_000, to: T - 1_000 };
      const found = stateOf({ restarts: 2, lastEnd, lastRun });
      assert.equal(found.restarts, 2);
      assert.deepEqual(found.last, { ...end, startedAt: at(-60_000), finishedAt: at(-1_000) });
    });

  it('of one that waits to be started again, or for its files, is not ready', () => {
    const { pid: _pid, since: _since, ...none } = RUNNING;
    const of = (status: ProgramStatus) => componentStatus({ ...component(), status }, HOST);
    const crashed = of({ ...none, state: 'restarting', failures: 3, restarts: 3, lastEnd: 'exit status 1' });
    assert.equal(crashed.containerStatuses?.[0]?.state.waiting?.reason, 'CrashLoopBackOff');
    assert.equal(crashed.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
    assert.equal(of({ ...none, state: 'waiting' }).phase, 'Pending');
  });

  it('keeps the times of conditions that are as they were', () => {
    const first = componentStatus(component(), HOST);
    const later = componentStatus(component({ restarts: 1 }), {
      ...HOST,
      now: T + 9_000,
      before: first.conditions ?? [],
    });
    assert.deepEqual(later.conditions, first.conditions);
  });
});

describe('componentsOf', () => {
  const program = (id: string): ProgramSpec => ({
    ...{
      id,
      entry: `${id}.ts`,
      args: ['--x'],
      cgroup: 'g',
      logFile: `/logs/${id}`,
      pidFile: '',
      listen: [],
      after: [],
    },
  });
  const ids = ['apiserver', 'controller', 'node1/agent', 'node1/kubelet', 'node2/agent', 'tor.frr/bgpd'];
  const statuses = ids.map((id): ProgramStatus => ({ ...RUNNING, id }));
  const nodes = (stopped: boolean) =>
    ['node1', 'node2'].map((name, i) => ({
      ...{ name, subnet: 1, addr: parseAddr(`192.168.1.10${i}`), labels: {}, taints: [] },
      ...(stopped && i === 0 ? { stopped } : {}),
    }));
  const shownOn = (node: string, stopped = false) =>
    componentsOf({ nodes: nodes(stopped), profile: 'vxlan' }, node, ids.map(program), statuses).map(({ name }) => name);

  it('labels the agent as the network plugin that the profile is of', () => {
    const labelsBy = (profile: LabSpec['profile']) => {
      const agent = componentsOf({ nodes: nodes(false), profile }, 'node2', ids.map(program), statuses)[0];
      return agent && componentPod(agent, 'node2', 'now').metadata.labels;
    };
    const own = { component: 'polder-agent', tier: 'node' };
    assert.deepEqual(labelsBy('vxlan'), own);
    assert.deepEqual(labelsBy('flannel-host-gw'), { ...own, app: 'flannel' });
    assert.deepEqual(labelsBy('calico-bgp'), { ...own, 'k8s-app': 'calico-node' });
  });

  it('shows each node its agent, and the first that runs what stands beside the nodes', () => {
    assert.deepEqual(shownOn('node1'), ['kube-apiserver', 'kube-controller-manager', 'polder-agent']);
    assert.deepEqual(shownOn('node2'), ['polder-agent']);
    assert.deepEqual(shownOn('node2', true), ['kube-apiserver', 'kube-controller-manager', 'polder-agent']);
  });
});
