/**
 * `macspoofchk`: a bridge's port passes only frames that come from its pod's own hardware address. One nftables table
 * of the bridge family: ports that are bound, and which address each may have.
 */

import { attachmentOf } from '#cni/parts/masquerade.ts';
import { staleTags, tagOf } from '#cni/parts/tag.ts';
import type { Undo } from '#cni/parts/undo.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { Mac } from '#net/mac.ts';
import { drop, match, meta, payload } from '#wire/nft/build.ts';
import { nftRefusalError } from '#wire/nft/refusal.ts';
import type { NftOp } from '#wire/nft/values.ts';

export const SPOOF_TABLE = { family: 'bridge', name: 'polder_macspoof' } as const;

const CHAIN = 'prerouting';
const PORTS = 'ports';
const ALLOWED = 'allowed';
/** Before anything else looks at the frame, as the reference's. */
const PRIORITY = -300;

const SET_UP: readonly NftOp[] = [
  { op: 'table.add' },
  { op: 'set.add', set: { name: PORTS, type: ['ifname'] } },
  { op: 'set.add', set: { name: ALLOWED, type: ['ifname', 'ether_addr'] } },
  { op: 'chain.add', chain: { name: CHAIN, base: { type: 'filter', hook: 'prerouting', prio: PRIORITY } } },
  { op: 'chain.flush', name: CHAIN },
  {
    op: 'rule.add',
    chain: CHAIN,
    rule: {
      expr: [
        match(meta('iifname'), `@${PORTS}`),
        match({ concat: [meta('iifname'), payload('ether', 'saddr')] }, `@${ALLOWED}`, '!='),
        drop,
      ],
    },
  },
];

/** @throws PolderError kernel-refused, kernel-feature-missing */
export function bindMac(call: PluginCall, port: string, mac: Mac | undefined, undo: Undo): void {
  if (!mac) return;
  const comment = tagOf(attachmentOf(call));
  undo.defer(() => unbindMac(call));
  const failure = call.caller.nft.apply(SPOOF_TABLE, [
    ...SET_UP,
    { op: 'element.add', set: PORTS, elements: [{ key: port, comment }] },
    { op: 'element.add', set: ALLOWED, elements: [{ key: { concat: [port, mac] }, comment }] },
  ]);
  if (failure) throw nftRefusalError(SPOOF_TABLE, failure);
}

/** What belongs to the call's attachment. */
export function unbindMac(call: PluginCall): void {
  const tag = tagOf(attachmentOf(call));
  remove(call, (found) => found === tag);
}

/** GC. */
export function unbindStale(call: PluginCall): void {
  remove(call, staleTags(call.conf));
}

/** For CHECK. */
export function notBound(call: PluginCall): string[] {
  const tag = tagOf(attachmentOf(call));
  const sets = call.caller.nft.list(SPOOF_TABLE)?.sets ?? [];
  const bound = sets.filter(({ elements }) => elements.some(({ comment }) => comment === tag));
  return bound.length === 2 ? [] : ['the hardware address is not checked'];
}

function remove(call: PluginCall, chosen: (tag: string | undefined) => boolean): void {
  const { nft } = call.caller;
  const ops = (nft.list(SPOOF_TABLE)?.sets ?? []).flatMap(({ name, elements }) => {
    const gone = elements.filter(({ comment }) => chosen(comment)).map(({ key }) => ({ key }));
    return gone.length === 0 ? [] : [{ op: 'element.delete', set: name, elements: gone } satisfies NftOp];
  });
  const failure = ops.length === 0 ? undefined : nft.apply(SPOOF_TABLE, ops);
  if (failure) throw nftRefusalError(SPOOF_TABLE, failure);
}
