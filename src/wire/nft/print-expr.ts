/** Expressions as nft's text. Source: nft(8), "EXPRESSIONS". */

import type { Expr, MapEntry, Verdict } from '#wire/nft/values.ts';
import { name, quoted } from '#wire/nft/words.ts';

const BITWISE = ['&', '|', '^', '<<', '>>'] as const;
const PLAIN = /^[\w.:@/*+-]+$/;

/** A constant or set reference. Interface names and whatever else nft might read otherwise stand in quotation marks. */
function printText(text: string): string {
  if (text.startsWith('@')) return `@${name(text.slice(1))}`;
  return PLAIN.test(text) && !text.includes('*') ? text : quoted(text);
}

/** What stands beside an expression that is compared: names of interfaces are quoted. */
export function printBeside(beside: Expr, expr: Expr): string {
  const named = typeof beside === 'object' && 'meta' in beside && /^[io]if(name)?$/.test(beside.meta.key);
  if (!named) return printExpr(expr);
  if (typeof expr === 'string' && !expr.startsWith('@')) return quoted(expr);
  if (typeof expr === 'object' && 'set' in expr)
    return braces(expr.set.map((e) => (typeof e === 'string' ? quoted(e) : printEntry(e))));
  return printExpr(expr);
}

export function printExpr(expr: Expr): string {
  if (typeof expr === 'number') return String(expr);
  if (typeof expr === 'string') return printText(expr);
  if ('payload' in expr) return `${expr.payload.protocol} ${expr.payload.field}`;
  if ('meta' in expr) return `meta ${expr.meta.key}`;
  if ('ct' in expr) return ['ct', expr.ct.dir, expr.ct.family, expr.ct.key].filter(Boolean).join(' ');
  if ('rt' in expr) return `rt ${expr.rt.key}`;
  if ('fib' in expr) return `fib ${expr.fib.flags.join(' . ')} ${expr.fib.result}`;
  if ('tcp option' in expr) return `tcp option ${expr['tcp option'].name} ${expr['tcp option'].field}`;
  if ('numgen' in expr) return `numgen ${expr.numgen.mode} mod ${expr.numgen.mod}${offset(expr.numgen.offset)}`;
  if ('jhash' in expr) return printHash(expr.jhash);
  if ('concat' in expr) return expr.concat.map(printExpr).join(' . ');
  if ('prefix' in expr) return `${expr.prefix.addr}/${expr.prefix.len}`;
  if ('range' in expr) return expr.range.map(printExpr).join('-');
  if ('set' in expr) return braces(expr.set.map(printEntry));
  if ('map' in expr) return `${printExpr(expr.map.key)} map ${printExpr(expr.map.data)}`;
  return printBitwise(expr);
}

function printHash(hash: { mod: number; expr: Expr; seed?: number; offset?: number }): string {
  const seed = hash.seed === undefined ? '' : ` seed ${hash.seed}`;
  return `jhash ${printExpr(hash.expr)} mod ${hash.mod}${seed}${offset(hash.offset)}`;
}

function offset(value: number | undefined): string {
  return value ? ` offset ${value}` : '';
}

function printBitwise(expr: Partial<Record<(typeof BITWISE)[number], readonly [Expr, Expr]>>): string {
  for (const sign of BITWISE) {
    const sides = expr[sign];
    if (sides) return sides.map(printOperand).join(` ${sign} `);
  }
  throw new TypeError(`Cannot print the expression ${JSON.stringify(expr)} as nft text: its kind is unknown`);
}

function printOperand(expr: Expr): string {
  const nested = typeof expr === 'object' && BITWISE.some((sign) => sign in expr);
  return nested ? `(${printExpr(expr)})` : printExpr(expr);
}

export function printEntry(entry: Expr | MapEntry): string {
  if (!isEntry(entry)) return printExpr(entry);
  const [key, value] = entry;
  return `${printExpr(key)} : ${printValue(value)}`;
}

function isEntry(entry: Expr | MapEntry): entry is MapEntry {
  return Array.isArray(entry);
}

export function printValue(value: Expr | Verdict): string {
  return isVerdict(value) ? printVerdict(value) : printExpr(value);
}

const VERDICTS = ['accept', 'drop', 'continue', 'return', 'jump', 'goto'];

export function isVerdict(value: unknown): value is Verdict {
  return typeof value === 'object' && value !== null && VERDICTS.some((verdict) => verdict in value);
}

export function printVerdict(verdict: Verdict): string {
  if ('jump' in verdict) return `jump ${name(verdict.jump.target)}`;
  if ('goto' in verdict) return `goto ${name(verdict.goto.target)}`;
  return Object.keys(verdict).join();
}

export function braces(parts: readonly string[]): string {
  return `{ ${parts.join(', ')} }`;
}
