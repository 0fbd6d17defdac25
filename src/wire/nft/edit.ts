/**
 * A table that many share: its skeleton (sets, chains, the rules that stand always), and what one container has in it.
 * What belongs to a container is found again by the comment of its rules, the name of its chain or the keys of its
 * elements; so each comes and goes in a small transaction of its own, whatever the others do.
 */

import type { Element, ListedChain, NftOp, Rule, Table, TableListing } from '#wire/nft/values.ts';

/**
 * The commands that bring the skeleton about, whatever part of it is there: they may be run again and again. Rules of
 * its chains are made anew, and no packet comes between; what else is in the table stays.
 */
export function ensureSkeleton(skeleton: Table): NftOp[] {
  return [
    { op: 'table.add', ...(skeleton.comment === undefined ? {} : { comment: skeleton.comment }) },
    ...skeleton.sets.map((set): NftOp => ({ op: 'set.add', set })),
    ...skeleton.chains.map((chain): NftOp => ({ op: 'chain.add', chain })),
    ...skeleton.sets.flatMap(({ name: set, elements }): NftOp[] =>
      elements.length > 0 ? [{ op: 'element.add', set, elements }] : [],
    ),
    ...skeleton.chains.flatMap(({ name, rules }) => (rules.length > 0 ? refill(name, rules) : [])),
  ];
}

function refill(name: string, rules: readonly Rule[]): NftOp[] {
  return [{ op: 'chain.flush', name }, ...rules.map((rule): NftOp => ({ op: 'rule.add', chain: name, rule }))];
}

/** Makes a chain, or empties the one that is there, and gives it these rules. */
export function fillChain(name: string, rules: readonly Rule[]): NftOp[] {
  return [{ op: 'chain.add', chain: { name } }, ...refill(name, rules)];
}

/** Deletes a chain that may be gone already. What jumps to it must be gone before. */
export function forgetChain(name: string): NftOp[] {
  return [
    { op: 'chain.add', chain: { name } },
    { op: 'chain.flush', name },
    { op: 'chain.delete', name },
  ];
}

/**
 * Deletes elements that may be gone already: nft refuses to delete what is not there, so each is added first. Of a map
 * say the values too (the chains that they name must exist): an element of another value is somebody else's, and the
 * transaction is refused. Not for intervals, which may overlap with others'.
 */
export function forgetElements(set: string, elements: readonly Element[]): NftOp[] {
  if (elements.length === 0) return [];
  return [
    { op: 'element.add', set, elements },
    { op: 'element.delete', set, elements: elements.map(({ key }) => ({ key })) },
  ];
}

/** Rules whose comment is the owner's, or begins with it and a space, by the chain that they are in. */
export function ownedRules(have: TableListing, owner: string): { readonly chain: string; readonly handle: number }[] {
  const owned = ({ comment }: Rule) => comment === owner || comment?.startsWith(`${owner} `) === true;
  return have.chains.flatMap(({ name: chain, rules }) => rules.filter(owned).map(({ handle }) => ({ chain, handle })));
}

/** Deletes all rules of the owner. */
export function deleteOwnedRules(have: TableListing, owner: string): NftOp[] {
  return ownedRules(have, owner).map(({ chain, handle }): NftOp => ({ op: 'rule.delete', chain, handle }));
}

/** Elements of a set whose comment is the owner's: `owner`, or `owner` and a space and more. */
export function ownedElements(have: TableListing, set: string, owner: string): Element[] {
  const elements = have.sets.find(({ name }) => name === set)?.elements ?? [];
  return elements.filter(({ comment }) => comment === owner || comment?.startsWith(`${owner} `) === true);
}

/** Whether the skeleton is all there, its rules in their order; its values must be said as nft lists them. */
export function hasSkeleton(have: TableListing | undefined, skeleton: Table): boolean {
  return missingOfSkeleton(have, skeleton).length === 0;
}

/** What of the skeleton is not there, in words: for CHECK. */
export function missingOfSkeleton(have: TableListing | undefined, skeleton: Table): string[] {
  if (!have) return ['the table'];
  const sets = skeleton.sets.filter(({ name }) => !have.sets.some((set) => set.name === name));
  const chains = skeleton.chains.filter(({ name, rules }) => {
    const there = have.chains.find((chain) => chain.name === name);
    return there === undefined || !hasRules(there, rules);
  });
  return [...sets.map(({ name }) => `set ${name}`), ...chains.map(({ name }) => `chain ${name}`)];
}

function hasRules({ rules }: ListedChain, wanted: readonly Rule[]): boolean {
  if (wanted.length === 0) return true;
  const said = (rule: Rule) => canonical([rule.expr, rule.comment ?? '']);
  return wanted.length === rules.length && wanted.every((rule, i) => said(rule) === said(rules[i] ?? { expr: [] }));
}

/** JSON with keys in order: nft has an order of its own. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
