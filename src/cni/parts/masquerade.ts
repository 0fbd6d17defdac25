/**
 * `ipMasq`: what a pod sends out of its own network leaves with the address of the host's interface. One nftables
 * table for all networks: a map from the pod's address to a chain for its network, so that a pod is one element.
 */

import { isDeepStrictEqual } from 'node:util';
import { forgetReferenceMasquerade } from '#cni/parts/reference-rules.ts';
import { type Attachment, staleTags, tagOf } from '#cni/parts/tag.ts';
import type { PluginCall } from '#cni/plugin.ts';
import type { KernelNft } from '#kernel/nft/nft.ts';
import type { Family } from '#net/addr.ts';
import { addrOf, type IfAddr, networkOf, type Prefix, parsePrefix, prefixFamily } from '#net/prefix.ts';
import { goto, masquerade, match, payload, prefixExpr } from '#wire/nft/build.ts';
import { nftRefusalError } from '#wire/nft/refusal.ts';
import type { Element, NftOp, Statement, TableListing } from '#wire/nft/values.ts';

export const MASQUERADE_TABLE = { family: 'inet', name: 'polder_masquerade' } as const;

const CHAIN = 'postrouting';
/** `srcnat` */
const PRIORITY = 100;

const FAMILIES = {
  4: { map: 'pods4', type: 'ipv4_addr', header: 'ip', multicast: parsePrefix('224.0.0.0/4') },
  6: { map: 'pods6', type: 'ipv6_addr', header: 'ip6', multicast: parsePrefix('ff00::/8') },
} as const satisfies Record<Family, object>;

/** @throws PolderError kernel-refused, kernel-feature-missing (NAT) */
export function masqueradePod(call: PluginCall, addresses: readonly IfAddr[]): void {
  const { nft } = call.caller;
  const tag = tagOf(attachmentOf(call));
  const elements = addresses.map((address) => elementOp(address, tag));
  // The usual case: table and chain are there, and nobody has these addresses.
  if (!nft.apply(MASQUERADE_TABLE, elements)) return;
  const left = staleElements(nft, addresses);
  const failure = nft.apply(MASQUERADE_TABLE, [...setUp(addresses.map(networkOf)), ...left, ...elements]);
  if (failure) throw nftRefusalError(MASQUERADE_TABLE, failure);
}

/** Removes what belongs to the call's attachment; its addresses need not be known. */
export function unmasqueradePod(call: PluginCall): void {
  const tag = tagOf(attachmentOf(call));
  if (removeTagged(call.caller.nft, (found) => found === tag) === 0) forgetReferenceMasquerade(call);
}

/** GC: removes what belongs to attachments of this network that are not valid. */
export function unmasqueradeStale(call: PluginCall): void {
  removeTagged(call.caller.nft, staleTags(call.conf));
}

/** For CHECK: addresses of the pod that are not masqueraded, for want of an element or of a rule. */
export function notMasqueraded(call: PluginCall, addresses: readonly IfAddr[]): string[] {
  const tag = tagOf(attachmentOf(call));
  const listing = call.caller.nft.list(MASQUERADE_TABLE);
  const elements = (listing?.sets ?? []).flatMap((set) => set.elements);
  const there = new Set(elements.filter(hasTag(tag)).map(({ key }) => key));
  return addresses
    .filter((address) => !there.has(addrOf(address)) || !isWorking(listing, address))
    .map((address) => `${addrOf(address)} is not masqueraded`);
}

/** Rules of others may stand beside ours. */
function isWorking(listing: TableListing | undefined, address: IfAddr): boolean {
  const rulesOf = (name: string) => listing?.chains.find((chain) => chain.name === name)?.rules ?? [];
  const has = (chain: string, rule: readonly Statement[]) =>
    rulesOf(chain).some(({ expr }) => isDeepStrictEqual(expr, rule));
  const network = networkOf(address);
  return (
    listing?.chains.some(({ name, base }) => name === CHAIN && base?.hook === 'postrouting') === true &&
    has(CHAIN, mapRule(prefixFamily(address))) &&
    networkRules(network).every((rule) => has(chainOf(network), rule))
  );
}

export function attachmentOf({ conf, request }: PluginCall): Attachment {
  return { network: conf.name, containerId: request.containerId, ifname: request.ifname };
}

function hasTag(tag: string): (element: Element) => boolean {
  return ({ comment }) => comment === tag;
}

function elementOp(address: IfAddr, comment: string): NftOp {
  const value = goto(chainOf(networkOf(address)));
  const { map } = FAMILIES[prefixFamily(address)];
  return { op: 'element.create', set: map, elements: [{ key: addrOf(address), value, comment }] };
}

/** A chain's name takes no colon. */
function chainOf(network: Prefix): string {
  return `from-${network.replaceAll(':', '_')}`;
}

/** Whatever is there already stays; the rules are written anew, all at once. */
function setUp(networks: readonly Prefix[]): NftOp[] {
  return [
    { op: 'table.add' },
    ...Object.values(FAMILIES).map(
      ({ map, type }): NftOp => ({ op: 'set.add', set: { name: map, type: [type], map: ['verdict'] } }),
    ),
    { op: 'chain.add', chain: { name: CHAIN, base: { type: 'nat', hook: 'postrouting', prio: PRIORITY } } },
    { op: 'chain.flush', name: CHAIN },
    ...([4, 6] as const).map((family): NftOp => ({ op: 'rule.add', chain: CHAIN, rule: { expr: mapRule(family) } })),
    ...[...new Set(networks)].flatMap(networkChain),
  ];
}

function mapRule(family: Family): readonly Statement[] {
  const { map, header } = FAMILIES[family];
  return [{ vmap: { key: payload(header, 'saddr'), data: `@${map}` } }];
}

function networkChain(network: Prefix): NftOp[] {
  const name = chainOf(network);
  return [
    { op: 'chain.add', chain: { name } },
    { op: 'chain.flush', name },
    ...networkRules(network).map((expr): NftOp => ({ op: 'rule.add', chain: name, rule: { expr } })),
  ];
}

function networkRules(network: Prefix): readonly (readonly Statement[])[] {
  const { header, multicast } = FAMILIES[prefixFamily(network)];
  const to = payload(header, 'daddr');
  return [
    [match(to, prefixExpr(network)), { return: null }],
    [match(to, prefixExpr(multicast), '!='), masquerade],
  ];
}

/** An address that we were given is ours: who is in the map with it went without a DEL. */
function staleElements(nft: KernelNft, addresses: readonly IfAddr[]): NftOp[] {
  const ours = new Set<unknown>(addresses.map(addrOf));
  return deletions(nft, ({ key }) => ours.has(key));
}

/** @returns how many changes it took */
function removeTagged(nft: KernelNft, chosen: (tag: string | undefined) => boolean): number {
  const ops = deletions(nft, ({ comment }) => chosen(comment));
  const failure = nft.apply(MASQUERADE_TABLE, ops);
  if (failure) throw nftRefusalError(MASQUERADE_TABLE, failure);
  return ops.length;
}

function deletions(nft: KernelNft, chosen: (element: Element) => boolean): NftOp[] {
  const sets = nft.list(MASQUERADE_TABLE)?.sets ?? [];
  return sets.flatMap(({ name, elements }) => {
    const gone = elements.filter(chosen).map(({ key }) => ({ key }));
    return gone.length === 0 ? [] : [{ op: 'element.delete', set: name, elements: gone } satisfies NftOp];
  });
}
