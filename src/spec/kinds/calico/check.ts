/** Checks that several of Calico's kinds share. Each answers what is wrong with one value, or nothing. */
import { type Family, readAddr } from '#net/addr.ts';
import { parsePrefix, prefixFamily } from '#net/prefix.ts';
import { readNetwork } from '#spec/calico-networks.ts';
import { at, type Json, type JsonObject } from '#spec/kinds/json.ts';
import { type FieldError, invalid, required, unsupported } from '#spec/kinds/kind.ts';
import { selectorProblem } from '#spec/selector.ts';

/** A check of the value at a field's path. */
export type Check = (value: Json, field: string) => readonly FieldError[];

/** Checks of an object's keys; what is absent or empty is not looked at. */
export function checkFields(object: JsonObject, path: string, checks: Readonly<Record<string, Check>>): FieldError[] {
  return Object.entries(checks).flatMap(([key, check]) => {
    const value = at(object, key);
    return value === undefined || value === '' ? [] : check(value, `${path}.${key}`);
  });
}

/** The same check of each item of a list. */
export function each(check: Check): Check {
  return (value, field) =>
    Array.isArray(value) ? value.flatMap((item, index) => check(item, `${field}[${index}]`)) : [];
}

/** Checks of the keys of an object. */
export function fields(checks: Readonly<Record<string, Check>>, needed: readonly string[] = []): Check {
  return (value, field) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
    const missing = needed.filter((key) => at(value, key) === undefined || at(value, key) === '');
    return [...missing.map((key) => required(`${field}.${key}`)), ...checkFields(value, field, checks)];
  };
}

export function oneOf(...words: readonly string[]): Check {
  return (value, field) => (words.includes(String(value)) ? [] : [unsupported(field, value, words)]);
}

export function between(least: number, most: number): Check {
  return (value, field) =>
    typeof value === 'number' && value >= least && value <= most
      ? []
      : [invalid(field, value, `must be between ${least} and ${most}, inclusive`)];
}

export const selector: Check = (value, field) => {
  const problem = selectorProblem(String(value));
  return problem === undefined ? [] : [invalid(field, value, problem)];
};

/** A network; of one family only where that is asked. A single address is one of full length, as Calico reads it. */
export function network(family?: Family): Check {
  return (value, field) => {
    const text = String(value);
    const prefix = readNetwork(text);
    if (prefix === undefined) return [invalid(field, value, networkProblem(text))];
    if (family === undefined || prefixFamily(prefix) === family) return [];
    return [invalid(field, value, `must be an IPv${family} network`)];
  };
}

export const address: Check = (value, field) =>
  readAddr(String(value)) === undefined ? [invalid(field, value, 'must be an IP address')] : [];

/** Says what to write in place of a network with host bits. */
function networkProblem(text: string): string {
  try {
    parsePrefix(text);
    return 'must be a network';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A duration of Go's: `1h30m`, `100ms`. */
export const duration: Check = (value, field) =>
  /^[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(String(value))
    ? []
    : [invalid(field, value, 'must be a duration such as 90s, 1m30s or 500ms')];

/** A standard or a large community (RFC 1997, RFC 8092): two numbers of 16 bits, or three of 32. */
export function isCommunity(text: string): boolean {
  const parts = /^\d+(:\d+){1,2}$/.test(text) ? text.split(':').map(Number) : [];
  const most = parts.length === 2 ? 65_535 : 4_294_967_295;
  return parts.length > 1 && parts.every((part) => part <= most);
}
