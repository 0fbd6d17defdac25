/** Statements and rules as nft's text. Source: nft(8), "STATEMENTS". */

import { isVerdict, printBeside, printExpr, printVerdict } from '#wire/nft/print-expr.ts';
import type { Expr, NatFlag, Rule, Statement } from '#wire/nft/values.ts';
import { comment, name, quoted } from '#wire/nft/words.ts';

/** Without the command before it. @throws RangeError if a name or text cannot be written. */
export function printRule(rule: Rule): string {
  return rule.expr.map(printStatement).join(' ') + comment(rule.comment);
}

export function printStatement(statement: Statement): string {
  if (isVerdict(statement)) return printVerdict(statement);
  if ('match' in statement) return printMatch(statement.match);
  if ('vmap' in statement) return `${printExpr(statement.vmap.key)} vmap ${printExpr(statement.vmap.data)}`;
  if ('masquerade' in statement) return words('masquerade', portAndFlags(statement.masquerade));
  if ('redirect' in statement) return words('redirect', portAndFlags(statement.redirect));
  if ('snat' in statement) return words('snat', nat(statement.snat));
  if ('dnat' in statement) return words('dnat', nat(statement.dnat));
  if ('mangle' in statement) return `${printExpr(statement.mangle.key)} set ${printExpr(statement.mangle.value)}`;
  if ('set' in statement) return printSet(statement.set);
  if ('counter' in statement) return 'counter';
  if ('limit' in statement) return printLimit(statement.limit);
  if ('log' in statement) return words('log', logWords(statement.log));
  if ('reject' in statement) return words('reject', rejectWords(statement.reject));
  if ('notrack' in statement) return 'notrack';
  throw new TypeError(`Cannot print the statement ${JSON.stringify(statement)} as nft text: its kind is unknown`);
}

type Of<K extends string> = Extract<Statement, Record<K, unknown>>[K & keyof Extract<Statement, Record<K, unknown>>];

function words(keyword: string, more: readonly (string | undefined)[]): string {
  return [keyword, ...more.filter((word) => word !== undefined)].join(' ');
}

function printMatch({ op, left, right }: Of<'match'>): string {
  const sign = op === '==' || op === 'in' ? '' : `${op} `;
  // What is computed needs its comparison said, else nft reads a set of bits.
  const spelled = op === '==' && typeof left === 'object' && '&' in left ? '== ' : sign;
  const rights = isList(right) ? right.map(printExpr).join(',') : printBeside(left, right);
  return `${printExpr(left)} ${spelled}${rights}`;
}

function isList(right: Expr | readonly Expr[]): right is readonly Expr[] {
  return Array.isArray(right);
}

function flagWords(flags: NatFlag | readonly NatFlag[] | undefined): string | undefined {
  return flags === undefined ? undefined : typeof flags === 'string' ? flags : flags.join(',');
}

function portAndFlags(value: Of<'masquerade'>): (string | undefined)[] {
  const port = value?.port;
  return [port === undefined ? undefined : `to :${printExpr(port)}`, flagWords(value?.flags)];
}

/** An IPv6 address with a port stands in brackets. */
function nat({ family, addr, port, flags }: Of<'snat'>): (string | undefined)[] {
  const host = addr === undefined ? '' : printExpr(addr);
  const bracketed = port !== undefined && host.includes(':') ? `[${host}]` : host;
  return [family, 'to', port === undefined ? host : `${bracketed}:${printExpr(port)}`, flagWords(flags)];
}

function printSet({ op, elem, set }: Of<'set'>): string {
  const inner = typeof elem === 'object' && 'elem' in elem ? elem.elem : { val: elem };
  const timeout = 'timeout' in inner && inner.timeout !== undefined ? ` timeout ${inner.timeout}s` : '';
  return `${op} @${name(set.replace(/^@/, ''))} { ${printExpr(inner.val)}${timeout} }`;
}

function printLimit({ rate, per, burst, inv }: Of<'limit'>): string {
  const many = burst === undefined ? '' : ` burst ${burst} packets`;
  return `limit rate ${inv ? 'over ' : ''}${rate}/${per}${many}`;
}

function logWords(log: Of<'log'>): (string | undefined)[] {
  return [
    log?.prefix === undefined ? undefined : `prefix ${quoted(log.prefix)}`,
    log?.group === undefined ? undefined : `group ${log.group}`,
    log?.level === undefined ? undefined : `level ${log.level}`,
  ];
}

function rejectWords(reject: Of<'reject'>): (string | undefined)[] {
  if (reject === null) return [];
  if (reject.type === 'tcp reset') return ['with tcp reset'];
  return [`with ${reject.type}${reject.expr === undefined ? '' : ` ${reject.expr}`}`];
}
