/** postStart and preStop. */

import type { Handler } from '#lab/kubelet/pod.ts';
import { check, type ProbeTarget } from '#lab/kubelet/probes/check.ts';

/** Undefined: it went well; else why not. Never rejects. */
export async function runHook(target: ProbeTarget, hook: Handler, timeoutMs: number): Promise<string | undefined> {
  if (hook.sleep === undefined) return check(target, hook, timeoutMs);
  const ms = Math.min(timeoutMs, hook.sleep.seconds * 1000);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return undefined;
}
