/** The kind PodTemplate, kept. */
import { column, formatLabels, NAME } from '#spec/kinds/columns/common.ts';
import { defaultPodSpec } from '#spec/kinds/core/pod-defaults.ts';
import { validatePodSpec } from '#spec/kinds/core/pod-validate.ts';
import { at, ensureObject, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { Kind, KubeObject } from '#spec/kinds/kind.ts';

export const POD_TEMPLATE: Kind = {
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  singular: 'podtemplate',
  namespaced: true,
  type: 'V1PodTemplate',
  names: 'subdomain',
  generation: true,
  columns: [
    NAME,
    column('Containers', 'Names of the containers.', (one) => ofContainers(one, 'name')),
    column('Images', 'Images of the containers.', (one) => ofContainers(one, 'image')),
    column('Pod Labels', 'Labels of pods of it.', (one) => formatLabels(at(one, 'template', 'metadata', 'labels'))),
  ],
  defaults: (one) => defaultPodSpec(ensureObject(ensureObject(one, 'template'), 'spec')),
  validate: (one) => validatePodSpec(objectAt(one, 'template', 'spec'), 'template.spec'),
};

function ofContainers(one: KubeObject, key: string): string {
  return objectsAt(one, 'template', 'spec', 'containers')
    .map((container) => textAt(container, key))
    .join(',');
}
