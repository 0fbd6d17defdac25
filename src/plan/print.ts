/** Operations as the lines of `ip`, `bridge`, `wg`, `nft` and `sysctl` that do the same: the dry run. */

import type { PlanOp } from '#plan/objects.ts';
import { isWireguardOp } from '#plan/wireguard.ts';
import { printOp } from '#wire/netlink/print.ts';
import { printNftOp } from '#wire/nft/print.ts';
import { printWireguardOp } from '#wire/wireguard/print.ts';

/** One line (for some operations of `ip` two, joined by `&&`), as a shell takes it. */
export function printPlanOp(op: PlanOp): string {
  if (op.op === 'sysctl.set') return `sysctl -w ${op.sysctl.name}=${op.sysctl.value}`;
  if (isWireguardOp(op)) return printWireguardOp(op);
  if (op.op !== 'nft') return printOp(op);
  return `nft '${op.ops.map((each) => printNftOp(op.table, each)).join('; ')}'`;
}

/** One line each, in order; empty text if there is nothing to do. */
export function printPlan(ops: readonly PlanOp[]): string {
  return ops.map((op) => `${printPlanOp(op)}\n`).join('');
}
