/** Short ways to say the expressions and statements that rules are mostly made of. */

import { addrOf, lengthOf, type Prefix } from '#net/prefix.ts';
import type { Expr, MatchOp, Statement, Verdict } from '#wire/nft/values.ts';

export const accept: Verdict = { accept: null };
export const drop: Verdict = { drop: null };

export function jump(target: string): Verdict {
  return { jump: { target } };
}

export function goto(target: string): Verdict {
  return { goto: { target } };
}

/** A header's field: `payload('ip', 'saddr')`. */
export function payload(protocol: string, field: string): Expr {
  return { payload: { protocol, field } };
}

export function meta(key: string): Expr {
  return { meta: { key } };
}

export function prefixExpr(prefix: Prefix): Expr {
  return { prefix: { addr: addrOf(prefix), len: lengthOf(prefix) } };
}

export function match(left: Expr, right: Expr, op: MatchOp = '=='): Statement {
  return { match: { op, left, right } };
}

export const masquerade: Statement = { masquerade: null };
