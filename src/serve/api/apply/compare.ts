/** What an object says, and what differs between two states of it, as sets of places. */
import { elementOf, isListed, itemStructure } from '#serve/api/apply/element.ts';
import { type FieldSet, isEmpty, NOTHING, PLACE, setOf } from '#serve/api/apply/field-set.ts';
import { isObject, type Json, sameJson } from '#spec/kinds/json.ts';
import { LEAF, type Structure } from '#spec/kinds/schema/structure.ts';

/** A part of a value that is owned by itself. */
interface Part {
  readonly value: Json;
  readonly structure: Structure;
  /** It belongs to the type: that it is there says nothing, what it holds does. */
  readonly named: boolean;
}

/** The parts of a value; undefined when it is owned as a whole. */
function partsOf(value: Json, structure: Structure): Map<string, Part> | undefined {
  if (isObject(value) && structure.is === 'map') {
    const part = ([key, inner]: [string, Json]): [string, Part] => [
      `f:${key}`,
      { value: inner, structure: structure.at(key), named: structure.named(key) },
    ];
    return new Map(Object.entries(value).map(part));
  }
  if (!Array.isArray(value) || !isListed(value, structure)) return undefined;
  const inner = itemStructure(structure);
  return new Map(
    value.map((item): [string, Part] => [
      elementOf(item, structure) ?? '',
      { value: item, structure: inner, named: false },
    ]),
  );
}

/** All places that a value fills: what applying it takes into ownership. */
export function fieldsIn(value: Json, structure: Structure): FieldSet {
  const parts = partsOf(value, structure);
  if (parts === undefined) return PLACE;
  return setOf(
    false,
    parts.entries().map(([element, part]) => {
      const below = fieldsIn(part.value, part.structure);
      const itself = !part.named || isEmpty(below);
      return [element, itself ? { ...below, here: true } : below] as const;
    }),
  );
}

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

const SAME: Comparison = { added: NOTHING, modified: NOTHING, removed: NOTHING };

/** What changes from `before` to `after`. */
export function compare(before: Json | undefined, after: Json | undefined, structure: Structure): Comparison {
  if (before === undefined && after === undefined) return SAME;
  if (before === undefined) return { ...SAME, added: everythingIn(after ?? null, structure) };
  if (after === undefined) return { ...SAME, removed: everythingIn(before, structure) };
  const [old, now] = [partsOf(before, structure), partsOf(after, structure)];
  if (old === undefined || now === undefined || (old.size === 0 && now.size === 0))
    return sameJson(before, after) ? SAME : { ...SAME, modified: PLACE };
  const inner = new Map<string, Comparison>();
  for (const element of new Set([...old.keys(), ...now.keys()])) {
    const [left, right] = [old.get(element), now.get(element)];
    const found = compare(left?.value, right?.value, (right ?? left)?.structure ?? LEAF);
    if (found !== SAME) inner.set(element, found);
  }
  return inner.size === 0 ? SAME : joined(inner);
}

function joined(inner: ReadonlyMap<string, Comparison>): Comparison {
  const of = (part: keyof Comparison): FieldSet =>
    setOf(
      false,
      inner.entries().map(([element, found]) => [element, found[part]] as const),
    );
  return { added: of('added'), modified: of('modified'), removed: of('removed') };
}

/** The places of a value that comes or goes, those on the way to them among them. */
function everythingIn(value: Json, structure: Structure): FieldSet {
  const parts = partsOf(value, structure);
  if (parts === undefined) return PLACE;
  return setOf(
    true,
    parts.entries().map(([element, part]) => [element, everythingIn(part.value, part.structure)] as const),
  );
}
