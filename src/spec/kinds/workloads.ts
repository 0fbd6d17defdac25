/** Kinds of the group apps. */
import { DAEMONSET_COLUMNS } from '#spec/kinds/columns/workload.ts';
import { defaultPodSpec } from '#spec/kinds/core/pod-defaults.ts';
import { validatePodSpec } from '#spec/kinds/core/pod-validate.ts';
import { at, ensureObject, isObject, objectAt, sameJson, setDefault, textAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject, required, unsupported } from '#spec/kinds/kind.ts';
import { shareErrors } from '#spec/kinds/scale.ts';
import { selectorErrors } from '#spec/kinds/selectors.ts';

export const DAEMON_SET: Kind = {
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  singular: 'daemonset',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  type: 'V1DaemonSet',
  names: 'subdomain',
  status: true,
  generation: true,
  columns: DAEMONSET_COLUMNS,
  defaults: (object) => {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'revisionHistoryLimit', 10);
    const strategy = ensureObject(spec, 'updateStrategy');
    setDefault(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') {
      const rolling = ensureObject(strategy, 'rollingUpdate');
      setDefault(rolling, 'maxUnavailable', 1);
      setDefault(rolling, 'maxSurge', 0);
    }
    defaultTemplate(object);
  },
  prepareCreate: (object) => {
    object.status = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };
    return [];
  },
  validate: (object) => [
    ...validateSelector(object),
    ...validateTemplate(object, ['Always']),
    ...validateRollout(object),
  ],
  validateUpdate: (object, old) => immutableSelector(object, old),
};

/** How many at a time: by leaving nodes without, or by a second pod on them, not both. */
function validateRollout(object: KubeObject): FieldError[] {
  const path = 'spec.updateStrategy';
  const type = textAt(object, 'spec', 'updateStrategy', 'type');
  if (type === 'OnDelete') return [];
  if (type !== 'RollingUpdate') return [unsupported(`${path}.type`, type, ['OnDelete', 'RollingUpdate'])];
  const { maxUnavailable, maxSurge } = objectAt(object, 'spec', 'updateStrategy', 'rollingUpdate');
  const errors = [
    ...shareErrors(maxUnavailable, `${path}.rollingUpdate.maxUnavailable`),
    ...shareErrors(maxSurge, `${path}.rollingUpdate.maxSurge`),
  ];
  if (errors.length > 0) return errors;
  const [leaves, surges] = [maxUnavailable, maxSurge].map((value) => Number.parseInt(String(value ?? 0), 10) !== 0);
  if (leaves && surges)
    return [invalid(`${path}.rollingUpdate.maxSurge`, maxSurge ?? 0, 'may not be set when maxUnavailable is non-zero')];
  return leaves || surges ? [] : [required(`${path}.rollingUpdate.maxUnavailable`, 'cannot be 0 when maxSurge is 0')];
}

/** Fills in the pod template of a workload. */
export function defaultTemplate(object: KubeObject): void {
  const template = ensureObject(ensureObject(object, 'spec'), 'template');
  defaultPodSpec(ensureObject(template, 'spec'));
}

/** The selector is there and selects the template's labels. */
export function validateSelector(object: KubeObject): FieldError[] {
  const selector = at(object, 'spec', 'selector');
  if (!isObject(selector) || Object.keys(selector).length === 0) return [required('spec.selector')];
  const labels = objectAt(object, 'spec', 'template', 'metadata', 'labels');
  const faults = selectorErrors(selector, 'spec.selector');
  if (faults.length > 0) return faults;
  const matches = Object.entries(objectAt(selector, 'matchLabels')).every(([key, value]) => labels[key] === value);
  return matches
    ? []
    : [invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')];
}

export function validateTemplate(object: KubeObject, restartPolicies: readonly string[]): FieldError[] {
  const spec = objectAt(object, 'spec', 'template', 'spec');
  const errors = validatePodSpec(spec, 'spec.template.spec');
  const policy = textAt(spec, 'restartPolicy');
  if (!restartPolicies.includes(policy))
    errors.push(unsupported('spec.template.spec.restartPolicy', policy, restartPolicies));
  return errors;
}

export function immutableSelector(object: KubeObject, old: KubeObject): FieldError[] {
  const [before, after] = [at(old, 'spec', 'selector'), at(object, 'spec', 'selector')];
  return sameJson(before, after) ? [] : [invalid('spec.selector', after ?? null, 'field is immutable')];
}
