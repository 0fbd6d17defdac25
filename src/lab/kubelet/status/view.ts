/** What the kubelet knows of a pod at one moment: the input of its decisions and of the pod's status. */

import type { RunnablePod } from '#lab/kubelet/pod.ts';
import type { ContainerRecord } from '#lab/kubelet/runtime/container.ts';
import type { Sandbox } from '#lab/kubelet/runtime/sandbox.ts';

export interface ContainerView {
  /** The last start. */
  readonly latest?: ContainerRecord;
  /** The one before, for `lastState`. */
  readonly previous?: ContainerRecord;
  /** Why it cannot be started at the moment: `ErrImagePull`, `CreateContainerConfigError`… */
  readonly trouble?: { readonly reason: string; readonly message: string };
  /** Not to be started before this, ms since the epoch. */
  readonly notBefore?: number;
  /** Length of the wait that `notBefore` ends, ms: for the message of CrashLoopBackOff. */
  readonly backoffMs?: number;
  /** Results of its probes; without probes a running container is both. */
  readonly started: boolean;
  readonly ready: boolean;
  /** It is to be killed and started again: why. */
  readonly condemned?: string;
}

export interface SandboxView {
  readonly id: string;
  readonly attempt: number;
  readonly state: 'ready' | 'dead' | 'stopped';
  readonly ips: readonly string[];
}

export interface PodView {
  readonly pod: RunnablePod;
  /** It is to go, or it has outlived its deadline: nothing is started any more. */
  readonly ending: boolean;
  readonly sandbox?: SandboxView;
  readonly containers: ReadonlyMap<string, ContainerView>;
  /** A verdict on the whole pod that its containers do not show: `DeadlineExceeded`… */
  readonly verdict?: { readonly reason: string; readonly message: string };
  readonly now: number;
}

export const NO_VIEW: ContainerView = { started: false, ready: false };

export function viewOf(view: PodView, name: string): ContainerView {
  return view.containers.get(name) ?? NO_VIEW;
}

export function isRunning(container: ContainerView): boolean {
  return container.latest?.startedAt !== undefined && container.latest.exit === undefined;
}

/** Its folder exists, but neither has it started nor failed yet. */
export function isStarting(container: ContainerView): boolean {
  return (
    container.latest !== undefined && container.latest.startedAt === undefined && container.latest.exit === undefined
  );
}

/** A sandbox without its addresses was cut off while it was made: as good as dead. */
export function sandboxView(sandbox: Sandbox | undefined): SandboxView | undefined {
  if (sandbox === undefined) return undefined;
  const { id, attempt, ips, pid, stopped } = sandbox;
  const state = stopped ? 'stopped' : pid !== undefined && ips !== undefined ? 'ready' : 'dead';
  return { id, attempt, state, ips: ips ?? [] };
}
