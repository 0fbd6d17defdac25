/** Putting an applied configuration into an object, and taking places out of it. */
import { elementOf, isListed, itemStructure } from '#serve/api/apply/element.ts';
import { type FieldSet, NOTHING } from '#serve/api/apply/field-set.ts';
import { isObject, type Json, type JsonObject } from '#spec/kinds/json.ts';
import { LEAF, type Structure } from '#spec/kinds/schema/structure.ts';

/** The value with the configuration put into it; neither argument is changed. */
export function mergeInto(live: Json | undefined, config: Json, structure: Structure): Json {
  if (isObject(config) && structure.is === 'map') return mergeMaps(isObject(live) ? live : {}, config, structure.at);
  if (!Array.isArray(config) || !isListed(config, structure)) return config;
  const before = Array.isArray(live) && isListed(live, structure) ? live : [];
  return mergeLists(before, config, structure);
}

function mergeMaps(live: JsonObject, config: JsonObject, at: (key: string) => Structure): JsonObject {
  const result = { ...live };
  for (const [key, value] of Object.entries(config)) result[key] = mergeInto(live[key], value, at(key));
  return result;
}

/** Items in the configuration's order; what it does not name stays behind the item that it followed. */
function mergeLists(
  live: readonly Json[],
  config: readonly Json[],
  structure: Parameters<typeof elementOf>[1],
): Json[] {
  const inner = itemStructure(structure);
  const nameOf = (item: Json): string => elementOf(item, structure) ?? '';
  const old = new Map(live.map((item) => [nameOf(item), item]));
  const named = new Set(config.map(nameOf));
  const followers = followersOf(live, named, nameOf);
  const result = [...(followers.get('') ?? [])];
  for (const item of config) {
    result.push(mergeInto(old.get(nameOf(item)), item, inner), ...(followers.get(nameOf(item)) ?? []));
  }
  return result;
}

function followersOf(
  live: readonly Json[],
  named: ReadonlySet<string>,
  nameOf: (item: Json) => string,
): Map<string, Json[]> {
  const followers = new Map<string, Json[]>();
  let last = '';
  for (const item of live) {
    if (named.has(nameOf(item))) last = nameOf(item);
    else followers.set(last, [...(followers.get(last) ?? []), item]);
  }
  return followers;
}

/** The value without the places of the set and all that is below them; the argument is not changed. */
export function removeFrom(value: Json, places: FieldSet, structure: Structure): Json {
  if (places.below.size === 0) return value;
  if (isObject(value) && structure.is === 'map') {
    const entries = Object.entries(value)
      .filter(([key]) => places.below.get(`f:${key}`)?.here !== true)
      .map(
        ([key, inner]) => [key, removeFrom(inner, places.below.get(`f:${key}`) ?? NOTHING, structure.at(key))] as const,
      );
    return Object.fromEntries(entries);
  }
  if (!Array.isArray(value) || !isListed(value, structure)) return value;
  const inner = structure.is === 'keyed' ? structure.item : LEAF;
  const setFor = (item: Json): FieldSet => places.below.get(elementOf(item, structure) ?? '') ?? NOTHING;
  return value.filter((item) => !setFor(item).here).map((item) => removeFrom(item, setFor(item), inner));
}

/** The set with the fields of types on the way to its places: those exist only for what is in them. */
export function withNamedFields(set: FieldSet, structure: Structure): FieldSet {
  const below = new Map<string, FieldSet>();
  for (const [element, inner] of set.below) {
    const isField = element.startsWith('f:') && structure.is === 'map';
    const key = element.slice(2);
    const next = isField ? structure.at(key) : structure.is === 'keyed' ? structure.item : LEAF;
    const deeper = withNamedFields(inner, next);
    below.set(element, isField && structure.named(key) ? { ...deeper, here: true } : deeper);
  }
  return { here: set.here, below };
}
