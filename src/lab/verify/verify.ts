/** `polder lab verify`: the network model, claim by claim, on a running lab. */

import { labClient } from '#lab/ready.ts';
import { requireLab } from '#lab/state.ts';
import { ADDRESS_LEVELS } from '#lab/verify/addresses.ts';
import { attachmentClaim } from '#lab/verify/attachment.ts';
import { TOLD_BY_BGP } from '#lab/verify/bgp.ts';
import type { Claim, VerifyResult } from '#lab/verify/claim.ts';
import { PAUSE } from '#lab/verify/pause.ts';
import { NODE_TO_POD, POD_TO_POD, SHARED_NAMESPACE } from '#lab/verify/reachability.ts';
import { patience, type World, withWorld } from '#lab/verify/world.ts';
import { PROFILES } from '#spec/cluster.ts';

export interface VerifyContext {
  readonly signal: AbortSignal;
  readonly tell: (result: VerifyResult) => void;
  /** Milliseconds that a pod may take until it is ready, and the rest in proportion; absent: a minute. */
  readonly readyMs?: number;
}

/** Tries every claim and tells of each as it is known. @throws PolderError 'no-lab'; whatever keeps the pods from starting. */
export async function verifyLab(lab: string, { signal, tell, readyMs }: VerifyContext): Promise<VerifyResult[]> {
  const spec = requireLab(lab);
  using client = await labClient(lab, signal, readyMs);
  const profile = PROFILES[spec.profile];
  const claims = [
    ...[SHARED_NAMESPACE, POD_TO_POD, NODE_TO_POD, PAUSE, ADDRESS_LEVELS],
    attachmentClaim(profile),
    ...(profile.distribution === 'bird' ? [TOLD_BY_BGP] : []),
  ];
  return await withWorld({ spec, client, signal, patience: patience(readyMs) }, async (world) => {
    const results: VerifyResult[] = [];
    for (const claim of claims) {
      const result = await tryOne(claim, world);
      results.push(result);
      tell(result);
    }
    return results;
  });
}

/** A trial that fails in an unforeseen way has not held. */
async function tryOne(claim: Claim, world: World): Promise<VerifyResult> {
  try {
    return { id: claim.id, ...(await claim.try(world)) };
  } catch (error) {
    return { id: claim.id, ok: false, seen: error instanceof Error ? error.message : String(error) };
  }
}
