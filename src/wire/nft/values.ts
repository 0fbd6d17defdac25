/**
 * nftables objects as values. Expressions and statements have the shape that nft itself gives them in JSON
 * (libnftables-json(5)), so what is listed compares with what was wanted; `print.ts` writes them as nft's text.
 *
 * A value compares equal with what nft lists if it is said as nft lists it: protocols and states as numbers,
 * prefixes as `{prefix}`, elements of intervals in ascending order.
 */

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

export interface TableRef {
  readonly family: NftFamily;
  readonly name: string;
}

export type Verdict =
  | { readonly accept: null }
  | { readonly drop: null }
  | { readonly continue: null }
  | { readonly return: null }
  | { readonly jump: { readonly target: string } }
  | { readonly goto: { readonly target: string } };

/** Something that has a value when a packet comes, or a constant. A string is a constant or, as `@name`, a set or map. */
export type Expr =
  | number
  | string
  | { readonly payload: { readonly protocol: string; readonly field: string } }
  | { readonly meta: { readonly key: string } }
  | { readonly ct: { readonly key: string; readonly dir?: 'original' | 'reply'; readonly family?: string } }
  | { readonly rt: { readonly key: string } }
  | { readonly fib: { readonly result: 'type' | 'oif' | 'oifname'; readonly flags: readonly string[] } }
  | { readonly 'tcp option': { readonly name: string; readonly field: string } }
  | { readonly numgen: { readonly mode: 'random' | 'inc'; readonly mod: number; readonly offset?: number } }
  | { readonly jhash: { readonly mod: number; readonly expr: Expr; readonly seed?: number; readonly offset?: number } }
  | { readonly concat: readonly Expr[] }
  | { readonly prefix: { readonly addr: string; readonly len: number } }
  | { readonly range: readonly [Expr, Expr] }
  /** An anonymous set. A pair is an entry of an anonymous map. */
  | { readonly set: readonly (Expr | MapEntry)[] }
  | { readonly map: { readonly key: Expr; readonly data: Expr } }
  | { readonly '&': readonly [Expr, Expr] }
  | { readonly '|': readonly [Expr, Expr] }
  | { readonly '^': readonly [Expr, Expr] }
  | { readonly '<<': readonly [Expr, Expr] }
  | { readonly '>>': readonly [Expr, Expr] };

/** Key and value. */
export type MapEntry = readonly [Expr, Expr | Verdict];

export type NatFlag = 'random' | 'fully-random' | 'persistent';

interface Nat {
  readonly family?: 'ip' | 'ip6';
  readonly addr?: Expr;
  readonly port?: Expr;
  readonly flags?: NatFlag | readonly NatFlag[];
}

/** `in`: some of the bits are set, as `ct state established,related`. */
export type MatchOp = '==' | '!=' | '<' | '>' | '<=' | '>=' | 'in';

export type Statement =
  | Verdict
  | { readonly match: { readonly op: MatchOp; readonly left: Expr; readonly right: Expr | readonly Expr[] } }
  | { readonly vmap: { readonly key: Expr; readonly data: Expr } }
  | { readonly masquerade: null | { readonly port?: Expr; readonly flags?: NatFlag | readonly NatFlag[] } }
  | { readonly snat: Nat }
  | { readonly dnat: Nat }
  | { readonly redirect: null | { readonly port?: Expr; readonly flags?: NatFlag | readonly NatFlag[] } }
  /** `KEY set VALUE`: of a mark, a header field, an option. */
  | { readonly mangle: { readonly key: Expr; readonly value: Expr } }
  /** `add @SET { ELEM }` on the packet's way. */
  | {
      readonly set: { readonly op: 'add' | 'update' | 'delete'; readonly elem: SetStatementElem; readonly set: string };
    }
  | { readonly counter: null | { readonly packets: number; readonly bytes: number } }
  | { readonly limit: { readonly rate: number; readonly per: string; readonly burst?: number; readonly inv?: boolean } }
  | { readonly log: null | { readonly prefix?: string; readonly group?: number; readonly level?: string } }
  | {
      readonly reject: null | {
        readonly type: 'tcp reset' | 'icmp' | 'icmpv6' | 'icmpx';
        readonly expr?: number | string;
      };
    }
  | { readonly notrack: null };

/** An expression, with a lifetime in seconds if it has one. */
export type SetStatementElem = Expr | { readonly elem: { readonly val: Expr; readonly timeout?: number } };

export interface Rule {
  readonly expr: readonly Statement[];
  /** At most 128 bytes, without a quotation mark. */
  readonly comment?: string;
}

/** What makes a chain a base chain: where the kernel calls it. */
export interface Hook {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';
  /** Lower comes first. A number, as not every hook takes every name (`dstnat` is -100, `srcnat` 100). */
  readonly prio: number;
  readonly policy?: 'accept' | 'drop';
  readonly dev?: string;
}

export interface Chain {
  readonly name: string;
  readonly base?: Hook;
}

/** A set, or (with `map`) a map. */
export interface NftSet {
  readonly name: string;
  /** Types of the key's parts: `['ipv4_addr', 'inet_service']`. */
  readonly type: readonly string[];
  /** Types of the value's parts, or `['verdict']`: then it is a map. */
  readonly map?: readonly string[];
  /**
   * A key of several parts with `interval` may hold no `meta l4proto`: nft 1.0.6 turns its byte order as if it had two
   * bytes, and Debian's kernel refuses that (EOPNOTSUPP). `ip protocol` and `ip6 nexthdr` do in its place.
   */
  readonly flags?: readonly ('constant' | 'interval' | 'timeout' | 'dynamic')[];
  /** Seconds that an element lives if it says nothing else. */
  readonly timeout?: number;
  readonly size?: number;
}

/** An element of a set (key alone) or of a map. */
export interface Element {
  readonly key: Expr;
  readonly value?: Expr | Verdict;
  /** Seconds. */
  readonly timeout?: number;
  readonly comment?: string;
}

/** One command on a table. All commands of a transaction take effect together, or none does. */
export type NftOp =
  | { readonly op: 'table.add'; readonly comment?: string }
  | { readonly op: 'table.delete' | 'table.flush' }
  | { readonly op: 'chain.add'; readonly chain: Chain }
  | { readonly op: 'chain.delete' | 'chain.flush'; readonly name: string }
  /** At the end; `insert` at the beginning. */
  | { readonly op: 'rule.add' | 'rule.insert'; readonly chain: string; readonly rule: Rule }
  | { readonly op: 'rule.replace'; readonly chain: string; readonly handle: number; readonly rule: Rule }
  | { readonly op: 'rule.delete'; readonly chain: string; readonly handle: number }
  | { readonly op: 'set.add'; readonly set: NftSet }
  | { readonly op: 'set.delete' | 'set.flush'; readonly name: string; readonly map?: boolean }
  | { readonly op: ElementVerb; readonly set: string; readonly elements: readonly Element[] };

/** `create` fails with EEXIST where an element is; `add` leaves one that is the same but for its comment as it was. */
export type ElementVerb = 'element.add' | 'element.create' | 'element.delete';

/** A whole table as it shall be. */
export interface Table {
  readonly comment?: string;
  readonly sets: readonly (NftSet & { readonly elements: readonly Element[] })[];
  readonly chains: readonly (Chain & { readonly rules: readonly Rule[] })[];
}

/** A table as the kernel has it. */
export interface TableListing {
  readonly comment?: string;
  readonly sets: readonly (NftSet & { readonly elements: readonly Element[] })[];
  readonly chains: readonly ListedChain[];
}

export interface ListedChain extends Chain {
  readonly rules: readonly ListedRule[];
}

/** A rule with the number that names it in its table. Statements that nft knows and this file does not are kept as they came. */
export interface ListedRule extends Rule {
  readonly handle: number;
}
