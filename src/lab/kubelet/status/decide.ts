/**
 * What to do next for a pod: pure, from everything that is known of it. The kubelet asks again after each step, so
 * that being killed between two steps only means being asked again.
 */

import { isSidecar, type PodContainer, restartPolicyOf } from '#lab/kubelet/pod.ts';
import { type ContainerView, isRunning, isStarting, type PodView, viewOf } from '#lab/kubelet/status/view.ts';

export type Step =
  /** End everything, give back the address, let the pod go. */
  | { readonly do: 'end' }
  /** All containers are done for good: stop the sandbox, keep the logs. */
  | { readonly do: 'retire' }
  /** Clear away the dead sandbox and what ran in it, then make a new one. */
  | { readonly do: 'sandbox' }
  | { readonly do: 'start'; readonly container: PodContainer; readonly init: boolean }
  | { readonly do: 'kill'; readonly container: PodContainer; readonly why: string };

export interface Decision {
  /** Independent of one another. */
  readonly steps: readonly Step[];
  /** Ask again at this time at the latest, ms since the epoch. */
  readonly askAgain?: number;
}

const NOTHING: Decision = { steps: [] };

export function decide(view: PodView): Decision {
  if (view.ending) return { steps: [{ do: 'end' }] };
  if (isDone(view)) return view.sandbox?.state === 'stopped' || !view.sandbox ? NOTHING : { steps: [{ do: 'retire' }] };
  if (view.sandbox?.state !== 'ready') return { steps: [{ do: 'sandbox' }] };
  const inits = decideInits(view);
  const next = inits.open ? NOTHING : joined(view.pod.spec.containers.map((c) => decideOne(view, c, false)));
  return joined([inits, next, ...(view.pod.spec.ephemeralContainers ?? []).map((c) => decideEphemeral(view, c))]);
}

/** Once, whatever becomes of it, and without waiting for the others. */
function decideEphemeral(view: PodView, container: PodContainer): Decision {
  const known = viewOf(view, container.name);
  return known.latest === undefined ? startWhenDue(view, known, container, false) : NOTHING;
}

/** Whether every container has ended and none may be started again. */
export function isDone(view: PodView): boolean {
  if (view.verdict !== undefined) return true;
  const inits = (view.pod.spec.initContainers ?? []).filter((c) => !isSidecar(c));
  if (inits.some((c) => isFailedForGood(view, c, true))) return true;
  return view.pod.spec.containers.every((c) => isEnded(view, c) && !mayRestart(view, c, false));
}

function isEnded(view: PodView, container: PodContainer): boolean {
  return viewOf(view, container.name).latest?.exit !== undefined;
}

function isFailedForGood(view: PodView, container: PodContainer, init: boolean): boolean {
  const exit = viewOf(view, container.name).latest?.exit;
  return exit !== undefined && exit.code !== 0 && !mayRestart(view, container, init);
}

function mayRestart(view: PodView, container: PodContainer, init: boolean): boolean {
  const policy = restartPolicyOf(view.pod, container, init);
  if (policy !== 'OnFailure') return policy === 'Always';
  return (viewOf(view, container.name).latest?.exit?.code ?? 1) !== 0;
}

/** Init containers run one after another, anew in each sandbox; sidecars stay and only need to have started. */
function decideInits(view: PodView): Decision & { readonly open: boolean } {
  const steps: Decision[] = [];
  for (const container of view.pod.spec.initContainers ?? []) {
    if (!isSidecar(container) && isInitDone(view, container)) continue;
    steps.push(decideOne(view, container, true));
    const started =
      isSidecar(container) && viewOf(view, container.name).started && isRunning(viewOf(view, container.name));
    if (!started && !mainsHaveRun(view)) return { ...joined(steps), open: true };
  }
  return { ...joined(steps), open: false };
}

function isInitDone(view: PodView, container: PodContainer): boolean {
  const { latest } = viewOf(view, container.name);
  return mainsHaveRun(view) || (latest?.sandboxId === view.sandbox?.id && latest?.exit?.code === 0);
}

/** In this sandbox: then its init containers must have been through. */
function mainsHaveRun(view: PodView): boolean {
  return view.pod.spec.containers.some(
    (c) => viewOf(view, c.name).latest?.sandboxId === view.sandbox?.id && view.sandbox !== undefined,
  );
}

function decideOne(view: PodView, container: PodContainer, init: boolean): Decision {
  const known = viewOf(view, container.name);
  if (isRunning(known))
    return known.condemned === undefined ? NOTHING : { steps: [{ do: 'kill', container, why: known.condemned }] };
  if (isStarting(known)) return NOTHING;
  const again = known.latest?.exit !== undefined && known.latest.sandboxId === view.sandbox?.id;
  if (again && !mayRestart(view, container, init)) return NOTHING;
  // A new sandbox starts init containers anew whatever became of them, and main ones only if their policy says so.
  if (!again && !init && known.latest?.exit !== undefined && !mayRestart(view, container, init)) return NOTHING;
  return startWhenDue(view, known, container, init);
}

function startWhenDue(view: PodView, known: ContainerView, container: PodContainer, init: boolean): Decision {
  if (known.notBefore !== undefined && known.notBefore > view.now) return { steps: [], askAgain: known.notBefore };
  return { steps: [{ do: 'start', container, init }] };
}

function joined(decisions: readonly Decision[]): Decision {
  const times = decisions.flatMap((d) => d.askAgain ?? []);
  const steps = decisions.flatMap((d) => d.steps);
  return times.length === 0 ? { steps } : { steps, askAgain: Math.min(...times) };
}
