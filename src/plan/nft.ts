/** The nft table: which chains to make, to write anew, to delete; all in one transaction. */

import { OWN_TABLE, type PlanOp } from '#plan/objects.ts';
import type { Chain, NftOp, Rule, Table, TableListing } from '#wire/nft/values.ts';

type WantedChain = Table['chains'][number];

export interface NftChanges {
  /** Chains that are missing, and the table if it is. */
  readonly add: readonly NftOp[];
  /** What is there and differs or is wanted no longer. */
  readonly alter: readonly NftOp[];
}

export function nftChanges(wanted: Table, have: TableListing | undefined): NftChanges {
  if (wanted.chains.length === 0) return { add: [], alter: have ? [{ op: 'table.delete' }] : [] };
  const there = new Map(have?.chains.map((chain) => [chain.name, chain]));
  const missing = wanted.chains.filter(({ name }) => !there.has(name));
  const names = new Set(wanted.chains.map(({ name }) => name));
  const differs = wanted.chains.flatMap((chain) => {
    const present = there.get(chain.name);
    return present ? chainDifference(chain, present) : [];
  });
  const unwanted = [...there.keys()].filter((name) => !names.has(name));
  return {
    add: [...(have ? [] : [{ op: 'table.add' } as const]), ...missing.flatMap(made)],
    alter: [...differs, ...unwanted.flatMap(deleted)],
  };
}

/** As one operation of the plan; none if there is nothing to do. */
export function nftOp(ops: readonly NftOp[]): PlanOp[] {
  return ops.length === 0 ? [] : [{ op: 'nft', table: OWN_TABLE, ops }];
}

/** Where a chain hangs cannot be changed; its rules are written anew, which nobody sees in between. */
function chainDifference(wanted: WantedChain, have: TableListing['chains'][number]): NftOp[] {
  if (canonical(hookOf(wanted)) !== canonical(hookOf(have))) return [...deleted(have.name), ...made(wanted)];
  if (canonical(wanted.rules.map(ruleOf)) === canonical(have.rules.map(ruleOf))) return [];
  return [{ op: 'chain.flush', name: wanted.name }, ...rulesOf(wanted)];
}

function made(wanted: WantedChain): NftOp[] {
  const { rules: _, ...chain } = wanted;
  return [{ op: 'chain.add', chain }, ...rulesOf(wanted)];
}

function rulesOf({ name, rules }: WantedChain): NftOp[] {
  return rules.map((rule) => ({ op: 'rule.add', chain: name, rule }));
}

function deleted(name: string): NftOp[] {
  return [
    { op: 'chain.flush', name },
    { op: 'chain.delete', name },
  ];
}

function hookOf({ base }: Chain): unknown {
  return base ? { policy: 'accept', ...base } : null;
}

function ruleOf({ expr, comment }: Rule): unknown {
  return [expr, comment ?? ''];
}

/** JSON with the keys in order, so that equal values are equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
