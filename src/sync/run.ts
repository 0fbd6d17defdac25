/** Runs operations in their order, each kind through its own handle. */

import type { OpFailure } from '#kernel/netlink/handle.ts';
import type { PlanOp } from '#plan/objects.ts';
import type { Kernel, SysctlPort } from '#sync/kernel.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';

/** An operation that the kernel refused, and its words. */
export interface Failure {
  readonly op: PlanOp;
  readonly reason: string;
}

/** Goes on past a failure; answers with every one. Empty: all is done. */
export async function runOps({ netlink, sysctl }: Kernel, ops: readonly PlanOp[]): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const batch of batchesOf(ops)) {
    if (batch.kind === 'sysctl') failures.push(...batch.ops.flatMap((op) => setSysctl(sysctl, op)));
    else failures.push(...(await netlink.runAsync(batch.ops)).map(named));
  }
  return failures;
}

type SysctlOp = Extract<PlanOp, { op: 'sysctl.set' }>;
type Batch = { kind: 'sysctl'; ops: SysctlOp[] } | { kind: 'netlink'; ops: NetlinkOp[] };

/** Neighbouring operations of one handle together: netlink sends them as one. */
function batchesOf(ops: readonly PlanOp[]): Batch[] {
  const batches: Batch[] = [];
  for (const op of ops) {
    const last = batches.at(-1);
    if (op.op === 'sysctl.set') {
      if (last?.kind === 'sysctl') last.ops.push(op);
      else batches.push({ kind: 'sysctl', ops: [op] });
    } else if (last?.kind === 'netlink') last.ops.push(op);
    else batches.push({ kind: 'netlink', ops: [op] });
  }
  return batches;
}

function named({ op, code, text }: OpFailure): Failure {
  return { op, reason: text === undefined ? code : `${code}: ${text}` };
}

function setSysctl(port: SysctlPort, op: SysctlOp): Failure[] {
  try {
    port.write(op.sysctl.name, op.sysctl.value);
    return [];
  } catch (error) {
    return [{ op, reason: error instanceof Error ? error.message : String(error) }];
  }
}
