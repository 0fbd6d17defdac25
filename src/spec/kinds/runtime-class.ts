/** The kind RuntimeClass: kept, and looked at when a pod names one; the lab has one runtime for all. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { textAt } from '#spec/kinds/json.ts';
import { invalid, type Kind, required } from '#spec/kinds/kind.ts';
import { labelProblem } from '#spec/kinds/names.ts';

export const RUNTIME_CLASS: Kind = {
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  singular: 'runtimeclass',
  namespaced: false,
  type: 'V1RuntimeClass',
  names: 'subdomain',
  columns: [NAME, column('Handler', 'Runtime that runs its pods.', (one) => textAt(one, 'handler')), AGE],
  validate: (one) => {
    const handler = textAt(one, 'handler');
    const problem = handler === '' ? undefined : labelProblem(handler);
    if (handler === '') return [required('handler')];
    return problem === undefined ? [] : [invalid('handler', handler, problem)];
  },
  validateUpdate: (one, old) =>
    textAt(one, 'handler') === textAt(old, 'handler')
      ? []
      : [invalid('handler', textAt(one, 'handler'), 'field is immutable')],
};
