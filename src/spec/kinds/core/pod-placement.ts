/** Where a pod may run: checks of its tolerations, affinity and spread (API reference "PodSpec" §Scheduling). */
import { isObject, type Json, type JsonObject, numberAt, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { duplicate, type FieldError, invalid, required, unsupported } from '#spec/kinds/kind.ts';
import { labelValueProblem, qualifiedNameProblem } from '#spec/kinds/names.ts';
import { problemAt, requirementErrors, selectorErrors } from '#spec/kinds/selectors.ts';

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const WHEN_UNSATISFIABLE = ['DoNotSchedule', 'ScheduleAnyway'];
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

/** The faults of the parts of a PodSpec that the scheduler reads. */
export function placementErrors(spec: JsonObject, path: string): FieldError[] {
  return [
    ...objectsAt(spec, 'tolerations').flatMap((one, index) => tolerationErrors(one, `${path}.tolerations[${index}]`)),
    ...affinityErrors(objectAt(spec, 'affinity'), `${path}.affinity`),
    ...spreadErrors(spec, `${path}.topologySpreadConstraints`),
  ];
}

function tolerationErrors(one: JsonObject, path: string): FieldError[] {
  const [key, operator, value, effect] = ['key', 'operator', 'value', 'effect'].map((name) => textAt(one, name));
  const errors = key ? problemAt(`${path}.key`, key, qualifiedNameProblem(key)) : [];
  if (!key && operator !== 'Exists')
    errors.push(
      invalid(
        `${path}.operator`,
        operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  if (one.tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.push(invalid(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  if (operator === 'Exists' && value)
    errors.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  else if (operator === 'Equal' || !operator)
    errors.push(...problemAt(`${path}.operator`, value ?? '', labelValueProblem(value ?? '')));
  else if (operator !== 'Exists') errors.push(unsupported(`${path}.operator`, operator, ['Equal', 'Exists']));
  if (effect && !EFFECTS.includes(effect)) errors.push(unsupported(`${path}.effect`, effect, EFFECTS));
  return errors;
}

function affinityErrors(affinity: JsonObject, path: string): FieldError[] {
  return [
    ...nodeAffinityErrors(objectAt(affinity, 'nodeAffinity'), `${path}.nodeAffinity`),
    ...['podAffinity', 'podAntiAffinity'].flatMap((key) =>
      podAffinityErrors(objectAt(affinity, key), `${path}.${key}`),
    ),
  ];
}

function nodeAffinityErrors(affinity: JsonObject, path: string): FieldError[] {
  const needed = affinity[REQUIRED];
  const terms = objectsAt(needed, 'nodeSelectorTerms');
  const field = `${path}.${REQUIRED}.nodeSelectorTerms`;
  const errors = terms.flatMap((term, index) => termErrors(term, `${field}[${index}]`));
  if (isObject(needed) && terms.length === 0) errors.push(required(field, 'must have at least one node selector term'));
  return [
    ...errors,
    ...weighted(affinity, path, (one, place) => termErrors(objectAt(one, 'preference'), `${place}.preference`)),
  ];
}

function termErrors(term: JsonObject, path: string): FieldError[] {
  return objectsAt(term, 'matchExpressions').flatMap((one, index) =>
    requirementErrors(one, `${path}.matchExpressions[${index}]`, true),
  );
}

function podAffinityErrors(affinity: JsonObject, path: string): FieldError[] {
  return [
    ...objectsAt(affinity, REQUIRED).flatMap((term, index) => podTermErrors(term, `${path}.${REQUIRED}[${index}]`)),
    ...weighted(affinity, path, (one, place) =>
      podTermErrors(objectAt(one, 'podAffinityTerm'), `${place}.podAffinityTerm`),
    ),
  ];
}

function podTermErrors(term: JsonObject, path: string): FieldError[] {
  const errors = ['labelSelector', 'namespaceSelector'].flatMap((key) => selectorErrors(term[key], `${path}.${key}`));
  if (textAt(term, 'topologyKey') === '') errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  return errors;
}

/** Preferences, each with its weight. */
function weighted(
  affinity: JsonObject,
  path: string,
  check: (one: JsonObject, path: string) => FieldError[],
): FieldError[] {
  return objectsAt(affinity, PREFERRED).flatMap((one, index) => {
    const place = `${path}.${PREFERRED}[${index}]`;
    const weight = numberAt(one, 'weight') ?? 0;
    const errors = check(one, place);
    return weight >= 1 && weight <= 100
      ? errors
      : [invalid(`${place}.weight`, weight, 'must be in the range 1-100'), ...errors];
  });
}

function spreadErrors(spec: JsonObject, path: string): FieldError[] {
  const seen = new Set<Json>();
  return objectsAt(spec, 'topologySpreadConstraints').flatMap((one, index) => {
    const place = `${path}[${index}]`;
    const [skew, key, when] = [
      numberAt(one, 'maxSkew') ?? 0,
      textAt(one, 'topologyKey'),
      textAt(one, 'whenUnsatisfiable'),
    ];
    const errors = selectorErrors(one.labelSelector, `${place}.labelSelector`);
    if (skew <= 0) errors.push(invalid(`${place}.maxSkew`, skew, 'must be greater than zero'));
    if (key === '') errors.push(required(`${place}.topologyKey`, 'can not be empty'));
    if (!WHEN_UNSATISFIABLE.includes(when))
      errors.push(unsupported(`${place}.whenUnsatisfiable`, when, WHEN_UNSATISFIABLE));
    const pair = `{${key}, ${when}}`;
    if (seen.has(pair)) errors.push(duplicate(`${place}.{topologyKey, whenUnsatisfiable}`, pair));
    seen.add(pair);
    return errors;
  });
}
