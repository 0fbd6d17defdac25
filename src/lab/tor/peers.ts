/** What the cluster is told of the routers: a BGPPeer for each, for all nodes. */

import { isAlreadyExists } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import type { LabSpec } from '#lab/spec.ts';
import { type Speaker, speakersOf } from '#lab/tor/setups.ts';
import { type Addr, familyOf } from '#net/addr.ts';
import { BGP_PEERS } from '#spec/calico.ts';

/** Made unless they are there: a user's changes stay. */
export async function ensurePeers(client: ApiClient, spec: LabSpec): Promise<void> {
  for (const speaker of speakersOf(spec)) {
    for (const addr of speaker.addrs) await ensurePeer(client, speaker, addr);
  }
}

async function ensurePeer(client: ApiClient, { peer, asNumber }: Speaker, peerIP: Addr): Promise<void> {
  const name = `${peer}${familyOf(peerIP) === 6 ? '-v6' : ''}`;
  try {
    await client.create(BGP_PEERS, {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'BGPPeer',
      metadata: { name },
      // A block's way leads to the node that has it, whichever node tells of it.
      spec: { peerIP, asNumber, keepOriginalNextHop: true },
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
