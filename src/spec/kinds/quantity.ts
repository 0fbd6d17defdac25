/** Quantities of resources (`100m`, `64Mi`, `1e3`): Kubernetes API reference, "Quantity". */

const FORM = /^[+-]?(\d+|\d+\.\d*|\.\d+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/;

export const QUANTITY_RULE =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

export function isQuantity(text: string): boolean {
  return FORM.test(text);
}

/** Kubernetes' spelling of a JSON number given for a quantity: fractions become thousandths. */
export function quantityOfNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const thousandths = Math.ceil(value * 1000);
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`;
}
