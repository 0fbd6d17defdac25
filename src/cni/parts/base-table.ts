/** A plugin's own nftables table: made, or its rules put right, while the elements of its sets stay. */

import type { Chain, NftOp, NftSet, Statement } from '#wire/nft/values.ts';

export interface BaseTable {
  readonly sets: readonly NftSet[];
  readonly chains: readonly Chain[];
  /** The rules of each chain whose rules are always the same; the others' are not touched. */
  readonly rules: Readonly<Record<string, readonly (readonly Statement[])[]>>;
}

export function baseTableOps({ sets, chains, rules }: BaseTable): NftOp[] {
  return [
    { op: 'table.add' },
    ...sets.map((set): NftOp => ({ op: 'set.add', set })),
    ...chains.map((chain): NftOp => ({ op: 'chain.add', chain })),
    ...Object.entries(rules).flatMap(([chain, those]): NftOp[] => [
      { op: 'chain.flush', name: chain },
      ...those.map((expr): NftOp => ({ op: 'rule.add', chain, rule: { expr } })),
    ]),
  ];
}
