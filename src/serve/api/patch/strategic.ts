/**
 * Strategic merge patch, as `kubectl apply`, `edit`, `label` and controllers send it: a merge patch that knows which
 * lists are keyed (Kubernetes "Update API Objects in Place Using kubectl patch"; sig-api-machinery
 * "strategic-merge-patch.md" for the directives `$patch`, `$retainKeys`, `$setElementOrder` and
 * `$deleteFromPrimitiveList`).
 */
import { badRequest } from '#serve/api/http/status-error.ts';
import { isObject, type Json, type JsonObject, sameJson } from '#spec/kinds/json.ts';
import { fieldsOf, type Shape } from '#spec/kinds/schema/fields.ts';
import { mergeRuleOf } from '#spec/kinds/schema/merge-keys.ts';

const ORDER = '$setElementOrder/';
const DELETE_FROM = '$deleteFromPrimitiveList/';

/**
 * The patched object; neither argument is changed.
 * @param type name of the object's type in the field tables, undefined inside of maps
 * @throws StatusError 400 when a directive or a list item is malformed
 */
export function applyStrategicPatch(target: JsonObject, patch: JsonObject, type: string | undefined): JsonObject {
  if (patch.$patch === 'replace') return withoutDirectives(patch);
  if (patch.$patch === 'delete') return {};
  if (patch.$patch !== undefined && patch.$patch !== 'merge')
    throw badRequest(`Unknown patch type found: ${patch.$patch}`);
  const result = retained(target, patch.$retainKeys);
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys' || key.startsWith(ORDER)) continue;
    if (key.startsWith(DELETE_FROM)) deleteValues(result, key.slice(DELETE_FROM.length), value);
    else mergeField(result, key, value, type);
  }
  for (const [key, order] of Object.entries(patch)) {
    if (key.startsWith(ORDER)) setOrder(result, target, key.slice(ORDER.length), order, type);
  }
  return result;
}

function mergeField(result: JsonObject, key: string, value: Json, type: string | undefined): void {
  if (value === null) {
    delete result[key];
    return;
  }
  const before = result[key];
  const inner = typeOfItems(type, key);
  if (isObject(value)) result[key] = applyStrategicPatch(isObject(before) ? before : {}, value, inner);
  else if (Array.isArray(value)) result[key] = mergeList(Array.isArray(before) ? before : [], value, key, type);
  else result[key] = value;
}

/** The type of a field's value, or of the items of its list or map. */
function typeOfItems(type: string | undefined, key: string): string | undefined {
  const shape = type === undefined ? undefined : fieldsOf(type)?.get(key)?.shape;
  return shape === undefined ? undefined : innerType(shape);
}

function innerType(shape: Shape): string | undefined {
  if (shape.is === 'type') return shape.name;
  return shape.is === 'scalar' ? undefined : innerType(shape.of);
}

function mergeList(before: readonly Json[], patch: readonly Json[], field: string, type: string | undefined): Json[] {
  const rule = mergeRuleOf(type, field);
  if (rule === undefined) return patch.filter((item) => !isDirective(item)).map(stripItem);
  if (rule.key === undefined) {
    const added = patch.filter((item) => !before.some((one) => sameJson(one, item)));
    return inOrder([...before, ...added], patch, before);
  }
  if (patch.some((item) => isObject(item) && item.$patch === 'replace')) {
    return patch.filter((item) => !isObject(item) || item.$patch !== 'replace').map(stripItem);
  }
  return inOrder(mergeKeyed(before, patch, field, rule.key, typeOfItems(type, field)), patch, before, rule.key);
}

function mergeKeyed(
  before: readonly Json[],
  patch: readonly Json[],
  field: string,
  key: string,
  type: string | undefined,
): Json[] {
  const result = [...before];
  for (const item of patch) {
    if (!isObject(item) || item[key] === undefined) {
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key} (in ${field})`);
    }
    const index = result.findIndex((one) => isObject(one) && sameJson(one[key], item[key]));
    const found = result[index];
    if (item.$patch === 'delete') result.splice(index < 0 ? result.length : index, 1);
    else if (isObject(found)) result[index] = applyStrategicPatch(found, item, type);
    else result.push(applyStrategicPatch({}, item, type));
  }
  return result;
}

function isDirective(item: Json): boolean {
  return isObject(item) && item.$patch !== undefined && Object.keys(item).length === 1;
}

function stripItem(item: Json): Json {
  return isObject(item) ? withoutDirectives(item) : item;
}

function withoutDirectives(patch: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$') || value === null) continue;
    if (Array.isArray(value)) result[key] = value.filter((item) => !isDirective(item)).map(stripItem);
    else result[key] = stripItem(value);
  }
  return result;
}

function retained(target: JsonObject, keys: Json | undefined): JsonObject {
  if (keys === undefined) return { ...target };
  if (!Array.isArray(keys)) throw badRequest('$retainKeys must be a list of keys');
  return Object.fromEntries(Object.entries(target).filter(([key]) => keys.includes(key)));
}

function deleteValues(result: JsonObject, field: string, values: Json): void {
  const before = result[field];
  if (!Array.isArray(values)) throw badRequest(`${DELETE_FROM}${field} must be a list`);
  if (!Array.isArray(before)) return;
  result[field] = before.filter((item) => !values.some((value) => sameJson(value, item)));
}

/** Puts the items that the patch orders into that order; the others stay where they were among them. */
function setOrder(result: JsonObject, target: JsonObject, field: string, order: Json, type: string | undefined): void {
  const merged = result[field];
  if (!Array.isArray(order)) throw badRequest(`${ORDER}${field} must be a list`);
  if (!Array.isArray(merged)) return;
  const before = target[field];
  result[field] = inOrder(merged, order, Array.isArray(before) ? before : [], mergeRuleOf(type, field)?.key);
}

/** Items that `order` names in its order, among them the others in theirs: `before` says what stands before what. */
function inOrder(merged: readonly Json[], order: readonly Json[], before: readonly Json[], key?: string): Json[] {
  const idOf = (item: Json): string => JSON.stringify(key !== undefined && isObject(item) ? item[key] : item);
  const ranks = new Map(order.map((item, index) => [idOf(item), index]));
  const places = new Map(before.map((item, index) => [idOf(item), index]));
  const ordered = merged.filter((item) => ranks.has(idOf(item)));
  ordered.sort((a, b) => (ranks.get(idOf(a)) ?? 0) - (ranks.get(idOf(b)) ?? 0));
  const others = merged.filter((item) => !ranks.has(idOf(item)));
  return interleave(ordered, others, (item) => places.get(idOf(item)));
}

/** What is new of the ordered ones comes before all others whose turn has not come, as Kubernetes has it. */
function interleave(ordered: Json[], others: Json[], placeOf: (item: Json) => number | undefined): Json[] {
  const result: Json[] = [];
  while (ordered.length > 0 || others.length > 0) {
    const [left, right] = [ordered[0], others[0]];
    const here = left === undefined ? Infinity : placeOf(left);
    const there = right === undefined ? undefined : placeOf(right);
    const takeOther = here !== undefined && there !== undefined && there < here;
    const taken = takeOther || left === undefined ? others.shift() : ordered.shift();
    if (taken !== undefined) result.push(taken);
  }
  return result;
}
