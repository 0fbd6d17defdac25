/**
 * Expressions of CustomResourceDefinitions in CEL (Kubernetes "CustomResourceDefinitions" §Validation rules): read once,
 * run on values. Kubernetes' own functions that are not here are known by name, so that a rule which calls one is told
 * apart from a rule that is wrong.
 */
import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js';
import { readAddr } from '#net/addr.ts';
import { readIfAddr } from '#net/prefix.ts';
import { readQuantity } from '#spec/quantity.ts';

export interface Expression {
  readonly text: string;
  readonly usesOld: boolean;
  /** Functions that it calls and that are not here: it cannot be run. */
  readonly unknown: readonly string[];
  /** @throws Error when it fails on these values */
  readonly run: (variables: Variables) => unknown;
}

export interface Variables {
  readonly self: unknown;
  /** What stood in its place before, where something did. */
  readonly oldSelf?: unknown;
}

/** What the server bounds an expression to; Kubernetes bounds its cost. */
const LIMITS = { maxAstNodes: 10_000, maxDepth: 100 };

/** An amount; functions of it as Kubernetes' CEL library for quantities has them. */
class Quantity {
  readonly amount: number;

  constructor(amount: number) {
    this.amount = amount;
  }
}

const environment = makeEnvironment();
const known = new Set(environment.getDefinitions().functions.map((one) => one.name));

function makeEnvironment(): Environment {
  const made = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true, limits: LIMITS });
  made.registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn');
  addLists(made);
  addTexts(made);
  addQuantities(made);
  return made;
}

type Comparable = number | bigint | string | boolean;

function addLists(to: Environment): void {
  to.registerFunction('list.sum(): dyn', (list: Comparable[]) => list.reduce(plus, 0n))
    .registerFunction('list.min(): dyn', (list: Comparable[]) => list.reduce((a, b) => (isLess(b, a) ? b : a)))
    .registerFunction('list.max(): dyn', (list: Comparable[]) => list.reduce((a, b) => (isLess(a, b) ? b : a)))
    .registerFunction('list.isSorted(): bool', (list: Comparable[]) =>
      list.every((item, index) => index === 0 || (list[index - 1] ?? item) <= item),
    )
    .registerFunction('list.indexOf(dyn): int', (list: Comparable[], item: Comparable) => BigInt(list.indexOf(item)))
    .registerFunction('list.lastIndexOf(dyn): int', (list: Comparable[], item: Comparable) =>
      BigInt(list.lastIndexOf(item)),
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

function addTexts(to: Environment): void {
  to.registerFunction(
    'string.find(string): string',
    (text: string, of: string) => new RegExp(of, 'u').exec(text)?.[0] ?? '',
  )
    .registerFunction('string.findAll(string): list', (text: string, of: string) =>
      Array.from(text.matchAll(new RegExp(of, 'gu')), (found) => found[0]),
    )
    .registerFunction('string.charAt(int): string', (text: string, at: bigint) => [...text][Number(at)] ?? '')
    .registerFunction('string.replace(string, string): string', (text: string, from: string, by: string) =>
      text.replaceAll(from, () => by),
    )
    .registerFunction('isIP(string): bool', (text: string) => readAddr(text) !== undefined)
    .registerFunction('isCIDR(string): bool', (text: string) => readIfAddr(text) !== undefined)
    .registerFunction('isURL(string): bool', (text: string) => URL.canParse(text));
}

function addQuantities(to: Environment): void {
  const compare = (one: Quantity, other: Quantity): bigint => BigInt(Math.sign(one.amount - other.amount));
  to.registerType('Quantity', { ctor: Quantity, fields: {} })
    .registerFunction('quantity(string): Quantity', (text: string) => quantityOf(text))
    .registerFunction('isQuantity(string): bool', (text: string) => readQuantity(text) !== undefined)
    .registerFunction('Quantity.compareTo(Quantity): int', compare)
    .registerFunction(
      'Quantity.isGreaterThan(Quantity): bool',
      (one: Quantity, other: Quantity) => compare(one, other) > 0n,
    )
    .registerFunction(
      'Quantity.isLessThan(Quantity): bool',
      (one: Quantity, other: Quantity) => compare(one, other) < 0n,
    )
    .registerFunction('Quantity.sign(): int', (one: Quantity) => BigInt(Math.sign(one.amount)));
}

function quantityOf(text: string): Quantity {
  const amount = readQuantity(text);
  if (amount === undefined) throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a quantity`);
  return new Quantity(amount);
}

/** Reads an expression; a text where it is none says why. */
export function readExpression(text: string): Expression | string {
  try {
    const program = environment.parse(text);
    const names = namesIn(program.ast);
    return {
      text,
      usesOld: names.variables.has('oldSelf'),
      unknown: [...names.functions].filter((name) => !known.has(name)),
      run: (variables) => program({ ...variables }),
    };
  } catch (error) {
    if (error instanceof ParseError) return error.summary;
    throw error;
  }
}

interface Names {
  readonly functions: Set<string>;
  readonly variables: Set<string>;
}

function namesIn(root: ASTNode): Names {
  const names: Names = { functions: new Set(), variables: new Set() };
  const open: unknown[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (Array.isArray(node)) open.push(...node);
    else if (isNode(node)) {
      if (node.op === 'call' || node.op === 'rcall') names.functions.add(node.args[0]);
      if (node.op === 'id') names.variables.add(node.args);
      open.push(node.args);
    }
  }
  return names;
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
