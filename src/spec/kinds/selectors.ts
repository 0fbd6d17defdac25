/** Checks of LabelSelectors and of requirements on nodes (Kubernetes "Labels and Selectors", API reference "NodeSelectorRequirement"). */
import { isObject, type Json, type JsonObject, listAt, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { type FieldError, forbidden, invalid, required } from '#spec/kinds/kind.ts';
import { labelValueProblem, qualifiedNameProblem } from '#spec/kinds/names.ts';

const OPERATOR = 'not a valid selector operator';

/** The faults of a LabelSelector; none if there is no selector. */
export function selectorErrors(selector: Json | undefined, path: string): FieldError[] {
  if (!isObject(selector)) return [];
  const labels = Object.entries(objectAt(selector, 'matchLabels')).flatMap(([key, value]) => [
    ...problemAt(`${path}.matchLabels`, key, qualifiedNameProblem(key)),
    ...problemAt(`${path}.matchLabels`, value, labelValueProblem(String(value))),
  ]);
  const expressions = objectsAt(selector, 'matchExpressions').flatMap((one, index) =>
    requirementErrors(one, `${path}.matchExpressions[${index}]`, false),
  );
  return [...labels, ...expressions];
}

/** The faults of a requirement; `ordered` ones may also compare with Gt and Lt, as those on nodes do. */
export function requirementErrors(one: JsonObject, path: string, ordered: boolean): FieldError[] {
  const key = textAt(one, 'key');
  return [...valuesErrors(one, path, ordered), ...problemAt(`${path}.key`, key, qualifiedNameProblem(key))];
}

function valuesErrors(one: JsonObject, path: string, ordered: boolean): FieldError[] {
  const count = listAt(one, 'values').length;
  const operator = textAt(one, 'operator');
  switch (operator) {
    case 'In':
    case 'NotIn':
      return count > 0 ? [] : [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      if (count === 0) return [];
      return [forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case 'Gt':
    case 'Lt':
      if (!ordered) return [invalid(`${path}.operator`, operator, OPERATOR)];
      if (count === 1) return [];
      return [required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [invalid(`${path}.operator`, operator, OPERATOR)];
  }
}

/** An error of the field if there is a problem with its value. */
export function problemAt(field: string, value: Json, problem: string | undefined): FieldError[] {
  return problem === undefined ? [] : [invalid(field, value, problem)];
}
