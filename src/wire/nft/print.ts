/** Commands and whole tables as nft's text: one command a line, so that the line of an error names the command. */

import { braces, printExpr, printValue } from '#wire/nft/print-expr.ts';
import { printRule } from '#wire/nft/print-rule.ts';
import type { Chain, Element, Expr, Hook, NftOp, NftSet, Table, TableRef } from '#wire/nft/values.ts';
import { comment, name, quoted } from '#wire/nft/words.ts';

/** Line i is operation i. @throws RangeError if a name or text cannot be written. */
export function printTransaction(table: TableRef, ops: readonly NftOp[]): string {
  return ops.map((op) => `${printNftOp(table, op)}\n`).join('');
}

/** One command, as a line of an `nft -f` file. @throws RangeError if a name or text cannot be written. */
export function printNftOp(table: TableRef, op: NftOp): string {
  const at = `${table.family} ${name(table.name)}`;
  switch (op.op) {
    case 'table.add':
      return `add table ${at}${op.comment === undefined ? '' : ` {${comment(op.comment)}; }`}`;
    case 'table.delete':
    case 'table.flush':
      return `${verb(op.op)} table ${at}`;
    case 'chain.add':
      return `add chain ${at} ${name(op.chain.name)}${chainBody(op.chain)}`;
    case 'chain.delete':
    case 'chain.flush':
      return `${verb(op.op)} chain ${at} ${name(op.name)}`;
    case 'rule.add':
    case 'rule.insert':
      return `${verb(op.op)} rule ${at} ${name(op.chain)} ${printRule(op.rule)}`;
    case 'rule.replace':
      return `replace rule ${at} ${name(op.chain)} handle ${op.handle} ${printRule(op.rule)}`;
    case 'rule.delete':
      return `delete rule ${at} ${name(op.chain)} handle ${op.handle}`;
    case 'set.add':
      return `add ${op.set.map ? 'map' : 'set'} ${at} ${name(op.set.name)} ${setBody(op.set)}`;
    case 'set.delete':
    case 'set.flush':
      return `${verb(op.op)} ${op.map ? 'map' : 'set'} ${at} ${name(op.name)}`;
    case 'element.add':
    case 'element.create':
    case 'element.delete':
      return `${verb(op.op)} element ${at} ${name(op.set)} ${braces(op.elements.map(printElement))}`;
  }
}

/** The commands that make the table what it shall be, in one transaction, whatever there was before. */
export function replaceTable(table: Table): NftOp[] {
  return [
    { op: 'table.add' },
    { op: 'table.delete' },
    { op: 'table.add', ...(table.comment === undefined ? {} : { comment: table.comment }) },
    ...table.sets.map((set): NftOp => ({ op: 'set.add', set })),
    ...table.chains.map((chain): NftOp => ({ op: 'chain.add', chain })),
    ...table.sets.flatMap(({ name: set, elements }): NftOp[] =>
      elements.length > 0 ? [{ op: 'element.add', set, elements }] : [],
    ),
    ...table.chains.flatMap((chain) => chain.rules.map((rule): NftOp => ({ op: 'rule.add', chain: chain.name, rule }))),
  ];
}

function verb(op: NftOp['op']): string {
  return op.slice(op.indexOf('.') + 1);
}

function chainBody({ base }: Chain): string {
  return base ? ` { ${hookWords(base)}; policy ${base.policy ?? 'accept'}; }` : '';
}

function hookWords({ type, hook, prio, dev }: Hook): string {
  return `type ${type} hook ${hook}${dev === undefined ? '' : ` device ${quoted(dev)}`} priority ${prio}`;
}

function setBody({ type, map, flags, timeout, size }: NftSet): string {
  const value = map ? ` : ${map.join(' . ')}` : '';
  return [
    `{ type ${type.join(' . ')}${value};`,
    ...(flags && flags.length > 0 ? [`flags ${flags.join(',')};`] : []),
    ...(timeout === undefined ? [] : [`timeout ${timeout}s;`]),
    ...(size === undefined ? [] : [`size ${size};`]),
    '}',
  ].join(' ');
}

/** A name in a key (of an interface) may be a word of nft's grammar: it stands in quotation marks, as nft takes any name. */
function printKey(key: Expr): string {
  if (typeof key === 'string' && /^[A-Za-z_][^:]*$/.test(key)) return quoted(key);
  if (typeof key === 'object' && 'concat' in key) return key.concat.map(printKey).join(' . ');
  return printExpr(key);
}

function printElement({ key, value, timeout, comment: text }: Element): string {
  const lifetime = timeout === undefined ? '' : ` timeout ${timeout}s`;
  const mapped = value === undefined ? '' : ` : ${printValue(value)}`;
  return `${printKey(key)}${lifetime}${comment(text)}${mapped}`;
}
