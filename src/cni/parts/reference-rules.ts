/**
 * Rules that the reference plugins made with iptables, before this node's executables were exchanged for ours: at the
 * pod's end they are ours to take away. Left behind, a mapped port would lead to whoever gets the address next.
 *
 * Each attachment has a chain, whose name is of a digest, and rules that jump to it from a chain that all share. Seen
 * through nftables, which iptables writes to by default since Debian 10; not in iptables-legacy's own tables.
 */

import { createHash } from 'node:crypto';
import type { PluginCall } from '#cni/plugin.ts';
import type { KernelNft } from '#kernel/nft/nft.ts';
import { addrOf } from '#net/prefix.ts';
import { isObject, type JsonObject } from '#wire/cni/json.ts';

/** The longest name of a chain that the reference plugins make. */
const LONGEST_CHAIN = 28;

/** What `ipMasq` of the reference's bridge or ptp made. */
export function forgetReferenceMasquerade(call: PluginCall): void {
  forget(call, 'CNI-', 'POSTROUTING');
}

/** What the reference's portmap made. */
export function forgetReferencePorts(call: PluginCall): void {
  forget(call, 'CNI-DN-', 'CNI-HOSTPORT-DNAT');
}

/** What the reference's firewall made for the addresses of prevResult: two rules each in a chain that all share. */
export function forgetReferenceForward({ conf, caller }: PluginCall): void {
  const addresses = (conf.prevResult?.ips ?? []).map(({ address }) => addrOf(address));
  for (const family of ['ip', 'ip6']) {
    const meant = new Set<unknown>(addresses.filter((addr) => (family === 'ip6') === addr.includes(':')));
    const rules = meant.size === 0 ? [] : rulesOf(caller.nft, `${family} filter`, 'CNI-FORWARD');
    const ops = rules
      .filter((rule) => partsOf(rule).some((part) => isObject(part.match) && meant.has(part.match.right)))
      .map(({ handle }) => `delete rule ${family} filter CNI-FORWARD handle ${handle}`);
    if (ops.length > 0) caller.nft.run(ops.join('\n'));
  }
}

function forget({ conf, request, caller }: PluginCall, prefix: string, from: string): void {
  const digest = createHash('sha512').update(`${conf.name}${request.containerId}`).digest('hex');
  const chain = `${prefix}${digest}`.slice(0, LONGEST_CHAIN);
  for (const family of ['ip', 'ip6']) removeChain(caller.nft, `${family} nat`, chain, from);
}

function removeChain(nft: KernelNft, table: string, chain: string, from: string): void {
  if (!nft.run(`list chain ${table} ${chain}`).ok) return;
  const jumps = rulesOf(nft, table, from).filter((rule) => jumpsTo(rule, chain));
  nft.run(
    [
      ...jumps.map(({ handle }) => `delete rule ${table} ${from} handle ${handle}`),
      `flush chain ${table} ${chain}`,
      `delete chain ${table} ${chain}`,
    ].join('\n'),
  );
}

function rulesOf(nft: KernelNft, table: string, chain: string): JsonObject[] {
  const run = nft.run(`list chain ${table} ${chain}`, { json: true });
  const listing: unknown = run.ok ? JSON.parse(run.output) : undefined;
  const objects = isObject(listing) && Array.isArray(listing.nftables) ? listing.nftables : [];
  return objects.flatMap((object: unknown) => (isObject(object) && isObject(object.rule) ? [object.rule] : []));
}

function jumpsTo(rule: JsonObject, chain: string): boolean {
  return partsOf(rule).some(({ jump }) => isObject(jump) && jump.target === chain);
}

function partsOf({ expr }: JsonObject): JsonObject[] {
  const parts: readonly unknown[] = Array.isArray(expr) ? expr : [];
  return parts.filter(isObject);
}
