/** Kinds that say which pods matter how much: PriorityClass (kept) and PodDisruptionBudget. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { at, numberAt, sameJson, setDefault, textAt } from '#spec/kinds/json.ts';
import { invalid, type Kind, type KubeObject, required } from '#spec/kinds/kind.ts';

export const PRIORITY_CLASS: Kind = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  shortNames: ['pc'],
  namespaced: false,
  type: 'V1PriorityClass',
  names: 'subdomain',
  generation: true,
  columns: [
    NAME,
    column('Value', 'Higher comes first.', (object) => numberAt(object, 'value') ?? 0, { type: 'integer' }),
    column('Global-Default', 'For pods that name none.', (one) => String(one.globalDefault === true)),
    AGE,
    column('PreemptionPolicy', 'Whether others give way.', (one) => textAt(one, 'preemptionPolicy')),
  ],
  defaults: (object) => {
    setDefault(object, 'preemptionPolicy', 'PreemptLowerPriority');
  },
  validate: (object) => (numberAt(object, 'value') === undefined ? [required('value')] : []),
  validateUpdate: (object, old) =>
    sameJson(object.value, old.value)
      ? []
      : [invalid('value', object.value ?? null, 'may not be changed in an update.')],
};

export const POD_DISRUPTION_BUDGET: Kind = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  singular: 'poddisruptionbudget',
  shortNames: ['pdb'],
  namespaced: true,
  type: 'V1PodDisruptionBudget',
  names: 'subdomain',
  status: true,
  generation: true,
  columns: [
    NAME,
    column('Min Available', 'Pods that must stay.', (one) => share(one, 'minAvailable')),
    column('Max Unavailable', 'Pods that may go.', (one) => share(one, 'maxUnavailable')),
    column(
      'Allowed Disruptions',
      'Pods that may go now.',
      (one) => numberAt(one, 'status', 'disruptionsAllowed') ?? 0,
      {
        type: 'integer',
      },
    ),
    AGE,
  ],
  prepareCreate: (object) => {
    object.status = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
    return [];
  },
  validate: (object) => {
    const both = at(object, 'spec', 'minAvailable') !== undefined && at(object, 'spec', 'maxUnavailable') !== undefined;
    const why = 'minAvailable and maxUnavailable cannot be both set';
    return both ? [invalid('spec', object.spec ?? null, why)] : [];
  },
};

function share(budget: KubeObject, key: string): string | number {
  const value = at(budget, 'spec', key);
  return typeof value === 'number' || typeof value === 'string' ? value : 'N/A';
}
