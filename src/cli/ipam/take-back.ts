/** Takes addresses back in the API: each write is a compare-and-swap, and looks at the pod once more before. */

import { type Verdict, verdictOf } from '#calc/ipam/release.ts';
import type { IpamState } from '#calc/ipam/state.ts';
import { isConflict } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import type { Addr } from '#net/addr.ts';
import { blockName, placeOf, readBlock, release, writeBlock } from '#spec/block.ts';
import { IPAM_BLOCKS } from '#spec/calico.ts';

export interface Outcome {
  readonly addr: Addr;
  readonly outcome: 'released' | Exclude<Verdict['kind'], 'release'>;
  /** Who has or had it. */
  readonly who?: string;
}

/** More conflicts in a row than this are no accident. */
const TRIES = 8;

/**
 * @param read the whole state as it is now
 * @throws ApiError also when others write the block each time; ApiUnreachable
 */
export async function takeBack(
  client: ApiClient,
  read: () => Promise<IpamState>,
  addr: Addr,
  force: boolean,
): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    const verdict = verdictOf(await read(), addr, force);
    if (verdict.kind !== 'release')
      return { addr, outcome: verdict.kind, ...('who' in verdict && { who: verdict.who }) };
    try {
      if (await write(client, addr, verdict)) return { addr, outcome: 'released', who: whoOf(verdict) };
    } catch (error) {
      if (!isConflict(error) || tries >= TRIES) throw error;
    }
  }
}

/** False: it is given for something else by now. */
async function write(client: ApiClient, addr: Addr, { given }: Verdict & { kind: 'release' }): Promise<boolean> {
  const { cidr } = given.block;
  const object = await client.find(IPAM_BLOCKS, { name: blockName(cidr) });
  const block = object && readBlock(object);
  const place = placeOf(cidr, addr);
  const now = place === undefined ? undefined : block?.given.get(place);
  const same = now?.handle === given.allocation.handle && now.node === given.allocation.node;
  if (!same || place === undefined || block === undefined) return false;
  await client.update(IPAM_BLOCKS, writeBlock(release(block, [place]), object));
  return true;
}

function whoOf({ given: { pod, allocation } }: Verdict & { kind: 'release' }): string {
  const what = pod === undefined ? allocation.handle : `pod ${pod}`;
  return allocation.node === '' ? what : `${what} on node ${allocation.node}`;
}
