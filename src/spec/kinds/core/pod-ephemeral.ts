/** What ephemeral containers may be (API reference "EphemeralContainer"): less than others, and never another. */
import { type JsonObject, listAt, objectsAt, sameJson, textAt } from '#spec/kinds/json.ts';
import { duplicate, type FieldError, forbidden, type KubeObject, notFoundField, required } from '#spec/kinds/kind.ts';

const PATH = 'spec.ephemeralContainers';
const NOT_FOR_THEM = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'];

/** The faults of a pod's ephemeral containers, given those that it has already. */
export function ephemeralProblems(pod: KubeObject, old: KubeObject): FieldError[] {
  const before = objectsAt(old, 'spec', 'ephemeralContainers');
  const now = objectsAt(pod, 'spec', 'ephemeralContainers');
  const kept = before.every((one) => now.some((two) => sameJson(one, two)));
  const changed = kept ? [] : [forbidden(PATH, 'existing ephemeral containers may not be removed or changed')];
  const others = ['containers', 'initContainers'].flatMap((list) => objectsAt(pod, 'spec', list)).map(nameOf);
  return [
    ...changed,
    ...now.flatMap((one, index) => containerProblems(one, `${PATH}[${index}]`, others, now.slice(0, index))),
  ];
}

function nameOf(container: JsonObject): string {
  return textAt(container, 'name');
}

function containerProblems(
  container: JsonObject,
  path: string,
  others: readonly string[],
  earlier: readonly JsonObject[],
): FieldError[] {
  const name = nameOf(container);
  const target = textAt(container, 'targetContainerName');
  const given = (field: string) => container[field] !== undefined && !sameJson(container[field], []);
  return [
    ...(name === '' ? [required(`${path}.name`)] : []),
    ...([...others, ...earlier.map(nameOf)].includes(name) ? [duplicate(`${path}.name`, name)] : []),
    ...(textAt(container, 'image') === '' ? [required(`${path}.image`)] : []),
    ...NOT_FOR_THEM.filter(given).map((field) =>
      forbidden(`${path}.${field}`, 'cannot be set for an Ephemeral Container'),
    ),
    ...(listAt(container, 'volumeMounts').some((mount) => textAt(mount, 'subPath') !== '')
      ? [forbidden(`${path}.volumeMounts`, 'subPath cannot be set for an Ephemeral Container')]
      : []),
    ...(target !== '' && !others.includes(target) ? [notFoundField(`${path}.targetContainerName`, target)] : []),
  ];
}
