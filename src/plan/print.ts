/** Operations as the lines of `ip`, `bridge`, `nft` and `sysctl` that do the same: the dry run. */

import type { PlanOp } from '#plan/objects.ts';
import { printOp } from '#wire/netlink/print.ts';

/** One line (for some operations of `ip` two, joined by `&&`), as a shell takes it. */
export function printPlanOp(op: PlanOp): string {
  return op.op === 'sysctl.set' ? `sysctl -w ${op.sysctl.name}=${op.sysctl.value}` : printOp(op);
}

/** One line each, in order; empty text if there is nothing to do. */
export function printPlan(ops: readonly PlanOp[]): string {
  return ops.map((op) => `${printPlanOp(op)}\n`).join('');
}
