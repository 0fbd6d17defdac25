/** Which pools an address may come from. */

import type { Addr, Family } from '#net/addr.ts';
import { contains, containsPrefix, type Prefix, prefixFamily } from '#net/prefix.ts';
import type { Pool, PoolUse } from '#spec/pool.ts';
import { type Labels, readSelector, selects } from '#spec/selector.ts';

export interface PoolQuestion {
  readonly family: Family;
  readonly use: PoolUse;
  readonly nodeLabels: Labels;
  /** Of the pod's namespace; absent for what is no pod. */
  readonly namespaceLabels?: Labels;
  /** Names or networks of pools that the pod or its namespace asks for; absent: any that is not manual. */
  readonly named?: readonly string[];
}

/** A pool that is asked for and cannot be used, and why. */
export interface PoolRefusal {
  readonly pool: string;
  readonly why: string;
}

export type PoolAnswer =
  | { readonly kind: 'pools'; readonly pools: readonly Pool[] }
  | { readonly kind: 'refused'; readonly refusal: PoolRefusal };

/** In the order in which they are to be tried: as they are named, else by name. */
export function poolsFor(pools: readonly Pool[], question: PoolQuestion): PoolAnswer {
  if (question.named === undefined) {
    return { kind: 'pools', pools: pools.filter((pool) => !pool.manual && whyNot(pool, question) === undefined) };
  }
  const found: Pool[] = [];
  for (const name of question.named) {
    const pool = pools.find((one) => one.name === name || one.cidr === name);
    const why = pool === undefined ? 'there is no such pool' : whyNot(pool, question);
    if (why !== undefined || pool === undefined) return { kind: 'refused', refusal: { pool: name, why: why ?? '' } };
    found.push(pool);
  }
  return { kind: 'pools', pools: found };
}

/** Why a pool gives no address here; undefined if it does. */
export function whyNot(pool: Pool, { family, use, nodeLabels, namespaceLabels }: PoolQuestion): string | undefined {
  if (prefixFamily(pool.cidr) !== family) return `it is no IPv${family} pool`;
  if (pool.leaving) return 'it is being deleted';
  if (pool.disabled) return 'it is disabled';
  if (!pool.allowedUses.includes(use)) return `it is not for ${use} (allowedUses)`;
  if (!chosen(pool.nodeSelector, nodeLabels)) return `its nodeSelector ${pool.nodeSelector} does not select the node`;
  if (namespaceLabels !== undefined && !chosen(pool.namespaceSelector, namespaceLabels)) {
    return `its namespaceSelector ${pool.namespaceSelector} does not select the namespace`;
  }
  return undefined;
}

/** A selector that cannot be read selects nothing. */
function chosen(text: string, labels: Labels): boolean {
  const selector = readSelector(text);
  return selector !== undefined && selects(selector, labels);
}

/** The pool that an address lies in. */
export function poolOfAddr(pools: readonly Pool[], addr: Addr): Pool | undefined {
  return pools.find(({ cidr }) => contains(cidr, addr));
}

/** The pool that a block was cut from; undefined if that is gone. */
export function poolOfBlock(pools: readonly Pool[], block: Prefix): Pool | undefined {
  return pools.find(({ cidr }) => containsPrefix(cidr, block));
}

/** Whether an IPReservation keeps the address from being given. */
export function isReserved(reservations: readonly Prefix[], addr: Addr): boolean {
  return reservations.some((reserved) => contains(reserved, addr));
}
