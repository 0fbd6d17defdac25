/** Amounts of resources (`100m`, `64Mi`, `1e3`): Kubernetes API reference, "Quantity"; apimachinery `resource.Quantity`. */

const SUFFIX: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const FORM = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;

export const QUANTITY_RULE =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

export function isQuantity(text: string): boolean {
  return FORM.test(text);
}

/** `500m` is 0.5, `64Mi` is 67108864. Undefined if the text is no quantity. */
export function readQuantity(text: string): number | undefined {
  const match = FORM.exec(text);
  return match === null ? undefined : Number(`${match[1]}${match[2] ?? ''}`) * (SUFFIX[match[3] ?? ''] ?? 1);
}

/** As `readQuantity`. @throws SyntaxError if the text is no quantity. */
export function parseQuantity(text: string): number {
  const amount = readQuantity(text);
  if (amount === undefined) throw new SyntaxError(`Cannot read "${text}" as a quantity`);
  return amount;
}

/** Kubernetes' spelling of a JSON number given for a quantity: fractions become thousandths. */
export function quantityOfNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const thousandths = Math.ceil(value * 1000);
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`;
}
