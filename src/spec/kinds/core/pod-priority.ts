/** A pod's priority by its class (admission plugin Priority; Kubernetes "Pod Priority and Preemption"). */
import { at, type JsonObject, setDefault, textAt } from '#spec/kinds/json.ts';
import type { World } from '#spec/kinds/kind.ts';
import { DEFAULT_PRIORITY_CLASS } from '#spec/kinds/scheduling.ts';

const CLASSES = 'priorityclasses.scheduling.k8s.io';

/** Fills in class, value and policy, or says why the pod may not be. Changes its first argument. */
export function admitPriority(spec: JsonObject, world: World): string | undefined {
  const asked = textAt(spec, 'priorityClassName');
  const name = asked || defaultClass(world);
  const found = name === '' ? undefined : world.find(CLASSES, '', name);
  if (name !== '' && found === undefined) return `no PriorityClass with name ${name} was found`;
  if (name !== '') spec.priorityClassName = name;
  const value = at(found, 'value') ?? 0;
  const policy = textAt(found, 'preemptionPolicy') || 'PreemptLowerPriority';
  if (spec.priority !== undefined && spec.priority !== value)
    return `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
  spec.priority = value;
  setDefault(spec, 'preemptionPolicy', policy);
  return spec.preemptionPolicy === policy
    ? undefined
    : `the string value of PreemptionPolicy (${textAt(spec, 'preemptionPolicy')}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`;
}

/** The class of pods that name none; '' where there is none such. */
function defaultClass(world: World): string {
  for (const fields of world.fieldsOf(CLASSES))
    if (fields[DEFAULT_PRIORITY_CLASS]) return fields[DEFAULT_PRIORITY_CLASS];
  return '';
}
