/** Runs operations in their order, each kind through its own handle. */

import type { OpFailure } from '#kernel/netlink/handle.ts';
import type { Nft } from '#kernel/nft/handle.ts';
import type { WireguardFailure } from '#kernel/wireguard/handle.ts';
import type { PlanOp } from '#plan/objects.ts';
import { isWireguardOp } from '#plan/wireguard.ts';
import type { Kernel, SysctlPort } from '#sync/kernel.ts';
import type { NetlinkOp } from '#wire/netlink/values.ts';
import type { WireguardOp } from '#wire/wireguard/values.ts';

/** An operation that the kernel refused, and its words. */
export interface Failure {
  readonly op: PlanOp;
  readonly reason: string;
}

/** Goes on past a failure; answers with every one. Empty: all is done. */
export async function runOps({ netlink, nft, sysctl, wireguard }: Kernel, ops: readonly PlanOp[]): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const batch of batchesOf(ops)) {
    if (batch.kind === 'other') failures.push(...(await runOther(nft, sysctl, batch.op)));
    else if (batch.kind === 'wireguard') failures.push(...wireguard.run(batch.ops).map(named));
    else failures.push(...(await netlink.runAsync(batch.ops)).map(named));
  }
  return failures;
}

type SysctlOp = Extract<PlanOp, { op: 'sysctl.set' }>;
type NftTransaction = Extract<PlanOp, { op: 'nft' }>;
type Batch =
  | { kind: 'other'; op: SysctlOp | NftTransaction }
  | { kind: 'wireguard'; ops: WireguardOp[] }
  | { kind: 'netlink'; ops: NetlinkOp[] };

/** Neighbouring operations of one handle together: netlink sends them as one. */
function batchesOf(ops: readonly PlanOp[]): Batch[] {
  const batches: Batch[] = [];
  for (const op of ops) {
    const last = batches.at(-1);
    if (op.op === 'sysctl.set' || op.op === 'nft') batches.push({ kind: 'other', op });
    else if (isWireguardOp(op)) {
      if (last?.kind === 'wireguard') last.ops.push(op);
      else batches.push({ kind: 'wireguard', ops: [op] });
    } else if (last?.kind === 'netlink') last.ops.push(op);
    else batches.push({ kind: 'netlink', ops: [op] });
  }
  return batches;
}

function named({ op, code, text }: OpFailure | WireguardFailure): Failure {
  return { op, reason: text === undefined ? code : `${code}: ${text}` };
}

async function runOther(nft: Nft, sysctl: SysctlPort, op: SysctlOp | NftTransaction): Promise<Failure[]> {
  if (op.op === 'sysctl.set') return setSysctl(sysctl, op);
  const failure = await nft.applyAsync(op.table, op.ops);
  return failure ? [{ op, reason: failure.errors.map(({ message }) => message).join('; ') || failure.text }] : [];
}

function setSysctl(port: SysctlPort, op: SysctlOp): Failure[] {
  try {
    port.write(op.sysctl.name, op.sysctl.value);
    return [];
  } catch (error) {
    return [{ op, reason: error instanceof Error ? error.message : String(error) }];
  }
}
