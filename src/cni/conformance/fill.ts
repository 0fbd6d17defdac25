/** Fills the placeholders of a descriptor. */

import { isObject } from '#wire/cni/json.ts';

export type Values = Readonly<Record<string, string | number>>;

/** A text that is only a placeholder of a number becomes that number. Placeholders without a value stay. */
export function fill<T>(value: T, values: Values): T;
export function fill(value: unknown, values: Values): unknown {
  if (typeof value === 'string') return filled(value, values);
  if (Array.isArray(value)) return value.map((one: unknown) => fill(one, values));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [filled(k, values), fill(v, values)]));
}

function filled(text: string, values: Values): string | number {
  const whole = /^\{(\w+)\}$/.exec(text)?.[1];
  const only = whole === undefined ? undefined : values[whole];
  if (only !== undefined) return only;
  return text.replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}
