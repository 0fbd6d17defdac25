/** nftables in memory: keeps tables and refuses what the kernel refuses of them; it does not look inside expressions. */

import { isDeepStrictEqual } from 'node:util';
import type { ApplyOptions, Nft, NftFailure } from '#kernel/nft/handle.ts';
import { printNftOp } from '#wire/nft/print.ts';
import type {
  Chain,
  Element,
  ElementVerb,
  ListedRule,
  NftOp,
  NftSet,
  Rule,
  TableListing,
  TableRef,
} from '#wire/nft/values.ts';

interface FakeSet {
  readonly set: NftSet;
  elements: Element[];
}

interface FakeChain {
  readonly chain: Chain;
  rules: ListedRule[];
}

interface FakeTable {
  readonly comment?: string;
  readonly sets: Map<string, FakeSet>;
  readonly chains: Map<string, FakeChain>;
}

const WORDS = {
  ENOENT: 'No such file or directory',
  EEXIST: 'File exists',
  EBUSY: 'Device or resource busy',
} as const;

class Refused extends Error {
  override readonly name = 'Refused';

  constructor(code: keyof typeof WORDS) {
    super(`Could not process rule: ${WORDS[code]}`);
  }
}

export class FakeNft implements Nft {
  #tables = new Map<string, FakeTable>();
  #handle = 1;
  /** Every transaction that was applied, as nft's lines. */
  readonly log: string[][] = [];

  apply(table: TableRef, ops: readonly NftOp[], { dryRun = false }: ApplyOptions = {}): NftFailure | undefined {
    const lines = ops.map((op) => printNftOp(table, op));
    const before = structuredClone(this.#tables);
    for (const op of ops) {
      const failure = this.#attempt(table, op);
      if (!failure) continue;
      this.#tables = before;
      return failure;
    }
    if (dryRun) this.#tables = before;
    else this.log.push(lines);
    return undefined;
  }

  async applyAsync(table: TableRef, ops: readonly NftOp[], options?: ApplyOptions): Promise<NftFailure | undefined> {
    return this.apply(table, ops, options);
  }

  list(ref: TableRef): TableListing | undefined {
    const table = this.#tables.get(keyOf(ref));
    if (!table) return undefined;
    return structuredClone({
      ...(table.comment === undefined ? {} : { comment: table.comment }),
      sets: [...table.sets.values()].map(({ set, elements }) => ({ ...set, elements })),
      chains: [...table.chains.values()].map(({ chain, rules }) => ({ ...chain, rules })),
    });
  }

  close(): void {}

  [Symbol.dispose](): void {}

  #attempt(table: TableRef, op: NftOp): NftFailure | undefined {
    try {
      this.#do(table, op);
      return undefined;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { text: `Error: ${error.message}\n`, errors: [{ op, message: error.message }] };
    }
  }

  #do(ref: TableRef, op: NftOp): void {
    const key = keyOf(ref);
    if (op.op === 'table.add') {
      if (this.#tables.has(key)) return;
      this.#tables.set(key, {
        ...(op.comment === undefined ? {} : { comment: op.comment }),
        sets: new Map(),
        chains: new Map(),
      });
      return;
    }
    const table = this.#tables.get(key);
    if (!table) throw new Refused('ENOENT');
    switch (op.op) {
      case 'table.delete':
        this.#tables.delete(key);
        break;
      case 'table.flush':
        for (const chain of table.chains.values()) chain.rules = [];
        break;
      case 'chain.add':
      case 'chain.delete':
      case 'chain.flush':
        changeChain(table, op);
        break;
      case 'rule.add':
      case 'rule.insert':
      case 'rule.replace':
      case 'rule.delete':
        changeRules(table, op, () => this.#handle++);
        break;
      case 'set.add':
      case 'set.delete':
      case 'set.flush':
        changeSet(table, op);
        break;
      case 'element.add':
      case 'element.create':
      case 'element.delete':
        changeElements(need(table.sets, op.set), op);
    }
  }
}

type OpOf<Verb extends NftOp['op']> = Extract<NftOp, { op: Verb }>;

function keyOf({ family, name }: TableRef): string {
  return `${family} ${name}`;
}

function need<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  if (!found) throw new Refused('ENOENT');
  return found;
}

function changeChain(table: FakeTable, op: OpOf<'chain.add' | 'chain.delete' | 'chain.flush'>): void {
  if (op.op === 'chain.add') {
    if (!table.chains.has(op.chain.name)) table.chains.set(op.chain.name, { chain: withPolicy(op.chain), rules: [] });
    return;
  }
  const chain = need(table.chains, op.name);
  if (op.op === 'chain.flush') {
    chain.rules = [];
    return;
  }
  const others = [...table.chains.values()].filter((c) => c !== chain);
  const elements = [...table.sets.values()].flatMap((set) => set.elements);
  if (mentions([others.map((c) => c.rules), elements], (key, value) => key === 'target' && value === op.name))
    throw new Refused('EBUSY');
  table.chains.delete(op.name);
}

function withPolicy(chain: Chain): Chain {
  return chain.base ? { ...chain, base: { policy: 'accept', ...chain.base } } : chain;
}

type RuleOp = Extract<NftOp, { chain: string }>;

function changeRules(table: FakeTable, op: RuleOp, newHandle: () => number): void {
  const chain = need(table.chains, op.chain);
  if ('rule' in op) checkMentions(table, op.rule);
  const made = 'rule' in op ? [{ ...op.rule, handle: newHandle() }] : [];
  if ('handle' in op) chain.rules.splice(placeOf(chain, op.handle), 1, ...made);
  else chain.rules.splice(op.op === 'rule.add' ? chain.rules.length : 0, 0, ...made);
}

/** @throws Refused ENOENT */
function placeOf(chain: FakeChain, handle: number): number {
  const place = chain.rules.findIndex((rule) => rule.handle === handle);
  if (place < 0) throw new Refused('ENOENT');
  return place;
}

/** Sets and chains that a rule names must be there. */
function checkMentions(table: FakeTable, rule: Rule): void {
  mentions(rule.expr, (key, value) => {
    if (key === 'target' && typeof value === 'string') need(table.chains, value);
    if (typeof value === 'string' && value.startsWith('@')) need(table.sets, value.slice(1));
    return false;
  });
}

function changeSet(table: FakeTable, op: OpOf<'set.add' | 'set.delete' | 'set.flush'>): void {
  if (op.op === 'set.add') {
    if (!table.sets.has(op.set.name)) table.sets.set(op.set.name, { set: op.set, elements: [] });
    return;
  }
  const set = need(table.sets, op.name);
  if (op.op === 'set.flush') {
    set.elements = [];
    return;
  }
  if (mentions([...table.chains.values()], (_, value) => value === `@${op.name}`)) throw new Refused('EBUSY');
  table.sets.delete(op.name);
}

function changeElements(set: FakeSet, op: OpOf<ElementVerb>): void {
  for (const element of op.elements) {
    const place = set.elements.findIndex((e) => isDeepStrictEqual(e.key, element.key));
    if (op.op === 'element.delete') {
      if (place < 0) throw new Refused('ENOENT');
      set.elements.splice(place, 1);
    } else if (place < 0) set.elements.push(element);
    else if (op.op === 'element.create' || !isDeepStrictEqual(set.elements[place]?.value, element.value))
      throw new Refused('EEXIST');
  }
}

/** Whether the predicate holds for a key and value anywhere in plain data. */
function mentions(data: unknown, holds: (key: string, value: unknown) => boolean): boolean {
  if (typeof data !== 'object' || data === null) return false;
  return Object.entries(data).some(([key, value]) => holds(key, value) || mentions(value, holds));
}
