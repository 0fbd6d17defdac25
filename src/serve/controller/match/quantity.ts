/** Amounts of resources: Kubernetes quantities, and what a pod asks for. */

import type { Container, Pod, PodSpec, Quantities } from '#spec/k8s.ts';
import { readQuantity } from '#spec/quantity.ts';

/** What is no quantity counts as nothing: the API server refuses it before. */
export function quantity(text: string | number | undefined): number {
  return readQuantity(String(text ?? '')) ?? 0;
}

/** Amounts by name, whole numbers: `cpu` in thousandths, `memory` in bytes, anything else as it is counted. */
export type Amounts = ReadonlyMap<string, number>;

export function amountsOf(quantities: Quantities = {}): Amounts {
  return new Map(Object.entries(quantities).map(([name, text]) => [name, whole(quantity(text), name)]));
}

/** Rounded up, as Kubernetes does; whole numbers, since 0.1 + 0.2 is more than 0.3. */
function whole(amount: number, name: string): number {
  return Math.ceil(Number((name === 'cpu' ? amount * 1000 : amount).toPrecision(15)));
}

/**
 * What the pod needs at its worst instant: all containers and sidecars together, or one init container with the
 * sidecars started before it; and the overhead. Kubernetes KEP-753.
 */
export function requestsOf(spec: PodSpec): Amounts {
  const running = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') add(running, requested(container));
    raise(peak, container.restartPolicy === 'Always' ? running : sum(running, requested(container)));
  }
  for (const container of spec.containers) add(running, requested(container));
  raise(peak, running);
  add(peak, amountsOf(spec.overhead));
  return peak;
}

/** Requests that were left out are the limits. */
function requested({ resources }: Container): Amounts {
  return amountsOf({ ...resources?.limits, ...resources?.requests });
}

/** True until it has ended: it holds its resources on the node. */
export function isActive(pod: Pod): boolean {
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
}

export function add(to: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) to.set(name, (to.get(name) ?? 0) + amount);
}

function sum(a: Amounts, b: Amounts): Amounts {
  const total = new Map(a);
  add(total, b);
  return total;
}

function raise(to: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) to.set(name, Math.max(to.get(name) ?? 0, amount));
}
