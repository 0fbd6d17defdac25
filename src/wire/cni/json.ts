/** Reading JSON that others wrote: each reader says where a wrong value stands (`plugins[0].type`). */

import { PolderError } from '#spec/errors.ts';

export type JsonObject = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws PolderError cni-config */
export function wrong(path: string, must: string, value: unknown): never {
  const shown = value === undefined ? 'is missing' : `is ${brief(value)}`;
  throw new PolderError('cni-config', { what: `${path} ${must}, but it ${shown}` });
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The JSON object of a text. @throws PolderError cni-decode (CNI code 6). */
export function parseObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = text.trim() === '' ? 'it is empty' : error instanceof Error ? error.message : String(error);
    throw new PolderError('cni-decode', { what: `Cannot read ${what} as JSON: ${reason}` });
  }
  if (!isObject(value)) throw new PolderError('cni-decode', { what: `Cannot read ${what}: it is not a JSON object` });
  return value;
}

/**
 * The value of a key without regard to case: callers differ (containerd writes Go's field names, `HostPort`, podman
 * `hostPort`). The exact spelling wins, then the first of several. Most keys that a plugin knows are absent, so the
 * length of a name is compared first.
 */
export function lookup(object: JsonObject, key: string): unknown {
  if (Object.hasOwn(object, key)) return object[key];
  for (const name in object) {
    if (name.length === key.length && name.toLowerCase() === key.toLowerCase()) return object[name];
  }
  return undefined;
}

/** null counts as absent: Go programs write it for an empty slice or pointer. */
function present(object: JsonObject, key: string): unknown {
  return lookup(object, key) ?? undefined;
}

export function optString(object: JsonObject, key: string, path: string): string | undefined {
  const value = present(object, key);
  if (value === undefined || typeof value === 'string') return value;
  return wrong(`${path}${key}`, 'must be a string', value);
}

export function optBoolean(object: JsonObject, key: string, path: string): boolean | undefined {
  const value = present(object, key);
  if (value === undefined || typeof value === 'boolean') return value;
  return wrong(`${path}${key}`, 'must be true or false', value);
}

/** A whole number, not negative, below 2^32. */
export function optUint(object: JsonObject, key: string, path: string): number | undefined {
  const value = present(object, key);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  return wrong(`${path}${key}`, 'must be a whole number from 0', value);
}

export function optObject(object: JsonObject, key: string, path: string): JsonObject | undefined {
  const value = present(object, key);
  if (value === undefined || isObject(value)) return value;
  return wrong(`${path}${key}`, 'must be an object', value);
}

export function optArray(object: JsonObject, key: string, path: string): readonly unknown[] | undefined {
  const value = present(object, key);
  if (value === undefined || Array.isArray(value)) return value;
  return wrong(`${path}${key}`, 'must be a list', value);
}

export function optStrings(object: JsonObject, key: string, path: string): readonly string[] | undefined {
  return optArray(object, key, path)?.map((item, i) =>
    typeof item === 'string' ? item : wrong(`${path}${key}[${i}]`, 'must be a string', item),
  );
}

/** A list of objects, each read by `read` with its own path. */
export function optList<T>(
  object: JsonObject,
  key: string,
  path: string,
  read: (item: JsonObject, path: string) => T,
): T[] | undefined {
  return optArray(object, key, path)?.map((item, i) => {
    const at = `${path}${key}[${i}]`;
    return isObject(item) ? read(item, `${at}.`) : wrong(at, 'must be an object', item);
  });
}
