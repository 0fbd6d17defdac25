/** Amounts in CEL (Kubernetes CEL library `quantity`). */
import type { Environment } from '@marcbachmann/cel-js';
import { readQuantity } from '#spec/quantity.ts';

class Quantity {
  readonly amount: number;

  constructor(amount: number) {
    this.amount = amount;
  }
}

export function addQuantities(to: Environment): void {
  to.registerType('Quantity', { ctor: Quantity, fields: {} })
    .registerFunction('quantity(string): Quantity', quantityOf)
    .registerFunction('isQuantity(string): bool', (text: string) => readQuantity(text) !== undefined)
    .registerFunction('Quantity.compareTo(Quantity): int', compare)
    .registerFunction('Quantity.isGreaterThan(Quantity): bool', (a: Quantity, b: Quantity) => a.amount > b.amount)
    .registerFunction('Quantity.isLessThan(Quantity): bool', (a: Quantity, b: Quantity) => a.amount < b.amount)
    .registerFunction('Quantity.sign(): int', ({ amount }: Quantity) => BigInt(Math.sign(amount)))
    .registerFunction('Quantity.isInteger(): bool', ({ amount }: Quantity) => Number.isSafeInteger(amount))
    .registerFunction('Quantity.asInteger(): int', wholeOf)
    .registerFunction('Quantity.asApproximateFloat(): double', ({ amount }: Quantity) => amount)
    .registerOperator('Quantity == Quantity', (a: Quantity, b: Quantity) => a.amount === b.amount);
  for (const [name, sign] of [
    ['add', 1],
    ['sub', -1],
  ] as const) {
    const combine = (a: number, b: number) => new Quantity(a + sign * b);
    to.registerFunction(`Quantity.${name}(Quantity): Quantity`, (a: Quantity, b: Quantity) =>
      combine(a.amount, b.amount),
    );
    to.registerFunction(`Quantity.${name}(int): Quantity`, (a: Quantity, b: bigint) => combine(a.amount, Number(b)));
  }
}

function compare(one: Quantity, other: Quantity): bigint {
  return BigInt(Math.sign(one.amount - other.amount));
}

function wholeOf({ amount }: Quantity): bigint {
  if (!Number.isSafeInteger(amount)) throw new RangeError('cannot convert value to integer');
  return BigInt(amount);
}

function quantityOf(text: string): Quantity {
  const amount = readQuantity(text);
  if (amount === undefined) throw new SyntaxError(`Cannot read ${JSON.stringify(text)} as a quantity`);
  return new Quantity(amount);
}
