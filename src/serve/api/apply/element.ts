/** Names of the items of lists that are merged. */
import { keyElement } from '#serve/api/apply/field-set.ts';
import { isObject, type Json, type JsonObject } from '#spec/kinds/json.ts';
import type { Structure } from '#spec/kinds/schema/structure.ts';

type Listed = Extract<Structure, { readonly is: 'set' | 'keyed' }>;

/** Path element of an item; undefined when it lacks a key, or is none. */
export function elementOf(item: Json, structure: Listed): string | undefined {
  if (structure.is === 'set') return `v:${JSON.stringify(item)}`;
  if (!isObject(item)) return undefined;
  const keys: JsonObject = {};
  for (const key of structure.keys) {
    const value = item[key] ?? structure.defaults[key];
    if (value !== undefined) keys[key] = value;
  }
  return Object.keys(keys).length === 0 ? undefined : keyElement(keys);
}

/** Whether each item of a list has a name of its own. Lists that are not so are taken as a whole. */
export function isListed(list: readonly Json[], structure: Structure): structure is Listed {
  if (structure.is !== 'set' && structure.is !== 'keyed') return false;
  const elements = list.map((item) => elementOf(item, structure));
  return !elements.includes(undefined) && new Set(elements).size === elements.length;
}

export function itemStructure(structure: Listed): Structure {
  return structure.is === 'keyed' ? structure.item : { is: 'leaf' };
}
