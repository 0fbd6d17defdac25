/** CHECK: the table of `portmap` against what ADD made of it. */

import { isDeepStrictEqual } from 'node:util';
import { type Placed, placeKey } from '#cni/parts/owned-elements.ts';
import type { PortmapConf } from '#cni/plugins/portmap/conf.ts';
import { digestOf } from '#cni/plugins/portmap/elements.ts';
import { CHAINS, dnatRules, FAMILIES, RULES, TABLE } from '#cni/plugins/portmap/table.ts';
import { printValue } from '#wire/nft/print-expr.ts';
import type { Element, ListedChain, Statement, TableListing } from '#wire/nft/values.ts';

export function tableDifferences(
  listing: TableListing | undefined,
  conf: PortmapConf,
  placed: readonly Placed[],
): string[] {
  if (!listing) return [`nftables table ${TABLE.family} ${TABLE.name} is missing`];
  return [
    ...CHAINS.flatMap(({ name, base }) => chainDifferences(listing, name, RULES[name], base !== undefined)),
    ...FAMILIES.flatMap((family) => missingConditions(listing, conf, family)),
    ...elementDifferences(listing, placed),
  ];
}

/** The rules must be ours and no others; `conditions` has those of other networks too. */
function chainDifferences(
  listing: TableListing,
  name: string,
  rules: readonly (readonly Statement[])[] | undefined,
  base: boolean,
): string[] {
  const chain = listing.chains.find((c) => c.name === name);
  if (!chain) return [`chain ${name} is missing`];
  if (base && !chain.base) return [`chain ${name} is not called by the kernel`];
  if (!rules) return [];
  const have = chain.rules.map(({ expr }) => expr);
  return isDeepStrictEqual(have, rules) ? [] : [`the rules of chain ${name} are not those of portmap`];
}

function missingConditions(listing: TableListing, conf: PortmapConf, family: 4 | 6): string[] {
  const digest = digestOf(conf, family);
  if (digest === '') return [];
  const chain: ListedChain | undefined = listing.chains.find((c) => c.name === 'conditions');
  const rules = dnatRules(family, conf.conditions[family], digest);
  const all = rules.every((rule) => chain?.rules.some(({ expr }) => isDeepStrictEqual(expr, rule)));
  return all ? [] : [`the rules for conditionsV${family} are missing`];
}

function elementDifferences(listing: TableListing, placed: readonly Placed[]): string[] {
  const have = new Map<string, Element>();
  for (const { name, elements } of listing.sets) {
    for (const element of elements) have.set(placeKey({ set: name, element }), element);
  }
  return placed.flatMap((one) => {
    const { set, element } = one;
    const found = have.get(placeKey(one));
    const what = `element ${printValue(element.key)} of ${set}`;
    if (!found) return [`${what} is missing`];
    return isDeepStrictEqual(found, element) ? [] : [`${what} is not that of this container`];
  });
}
