/** Lists, sets and texts in CEL (Kubernetes CEL libraries `lists` and `regex`, cel-go's `strings` and `sets`). */
import { isDeepStrictEqual } from 'node:util';
import type { Environment } from '@marcbachmann/cel-js';
import { formatText } from '#serve/api/rules/library/format-text.ts';

type Comparable = number | bigint | string | boolean;

export function addLists(to: Environment): void {
  to.registerFunction('list.sum(): dyn', (list: Comparable[]) => list.reduce(plus, 0n))
    .registerFunction('list.min(): dyn', (list: Comparable[]) => list.reduce((a, b) => (isLess(b, a) ? b : a)))
    .registerFunction('list.max(): dyn', (list: Comparable[]) => list.reduce((a, b) => (isLess(a, b) ? b : a)))
    .registerFunction('list.isSorted(): bool', (list: Comparable[]) =>
      list.every((item, index) => index === 0 || (list[index - 1] ?? item) <= item),
    )
    .registerFunction('list.indexOf(dyn): int', (list: unknown[], item: unknown) =>
      BigInt(list.findIndex((one) => isDeepStrictEqual(one, item))),
    )
    .registerFunction('list.lastIndexOf(dyn): int', (list: unknown[], item: unknown) =>
      BigInt(list.findLastIndex((one) => isDeepStrictEqual(one, item))),
    );
}

/** What the functions hang on: `sets.contains(…)`. */
class SetLibrary {}

export function addSets(to: Environment): void {
  const holds = (list: unknown[], item: unknown) => list.some((one) => isDeepStrictEqual(one, item));
  const contains = (list: unknown[], other: unknown[]) => other.every((item) => holds(list, item));
  to.registerType('SetLibrary', { ctor: SetLibrary, fields: {} })
    .registerConstant('sets', 'SetLibrary', new SetLibrary())
    .registerFunction('SetLibrary.contains(list, list): bool', (_: SetLibrary, a: unknown[], b: unknown[]) =>
      contains(a, b),
    )
    .registerFunction(
      'SetLibrary.equivalent(list, list): bool',
      (_: SetLibrary, a: unknown[], b: unknown[]) => contains(a, b) && contains(b, a),
    )
    .registerFunction('SetLibrary.intersects(list, list): bool', (_: SetLibrary, a: unknown[], b: unknown[]) =>
      b.some((item) => holds(a, item)),
    );
}

function isLess(one: Comparable, other: Comparable): boolean {
  return one < other;
}

/** Whole numbers are added as such, and with fractions as numbers with fractions. */
function plus(sum: Comparable, item: Comparable): Comparable {
  if (typeof sum === 'bigint' && typeof item === 'bigint') return sum + item;
  return Number(sum) + Number(item);
}

export function addTexts(to: Environment): void {
  to.registerFunction(
    'string.find(string): string',
    (text: string, of: string) => new RegExp(of, 'u').exec(text)?.[0] ?? '',
  )
    .registerFunction('string.findAll(string): list', findAll)
    .registerFunction('string.findAll(string, int): list', findAll)
    .registerFunction('string.charAt(int): string', (text: string, at: bigint) => [...text][Number(at)] ?? '')
    .registerFunction('string.replace(string, string): string', (text: string, from: string, by: string) =>
      text.replaceAll(from, () => by),
    )
    .registerFunction(
      'string.replace(string, string, int): string',
      (text: string, from: string, by: string, most: bigint) => replaceSome(text, from, by, Number(most)),
    )
    .registerFunction('string.format(list): string', formatText);
}

/** At most so many; all of them if there is no bound, or a negative one. */
function findAll(text: string, of: string, most = -1n): string[] {
  const found = Array.from(text.matchAll(new RegExp(of, 'gu')), ([one]) => one);
  return most < 0n ? found : found.slice(0, Number(most));
}

function replaceSome(text: string, from: string, by: string, most: number): string {
  let left = most < 0 ? Number.POSITIVE_INFINITY : most;
  return text.replaceAll(from, (found) => (left-- > 0 ? by : found));
}
