/** Columns of workloads: DaemonSet now. */
import { AGE, column, formatLabels, formatSelector, NAME } from '#spec/kinds/columns/common.ts';
import { at, numberAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

/** Containers and images of the pod template, shown with `-o wide`. */
const CONTAINERS = column('Containers', 'Names of the containers.', (object) => ofContainers(object, 'name'), {
  wide: true,
});
const IMAGES = column('Images', 'Images of the containers.', (object) => ofContainers(object, 'image'), { wide: true });
const SELECTOR = column('Selector', 'Labels of its pods.', (object) => formatSelector(at(object, 'spec', 'selector')), {
  wide: true,
});

export const DAEMONSET_COLUMNS: readonly Column[] = [
  NAME,
  count('Desired', 'Nodes that should run a pod.', 'desiredNumberScheduled'),
  count('Current', 'Nodes that have one.', 'currentNumberScheduled'),
  count('Ready', 'Pods that are ready.', 'numberReady'),
  count('Up-to-date', 'Pods of the newest template.', 'updatedNumberScheduled'),
  count('Available', 'Pods that have been ready long enough.', 'numberAvailable'),
  column('Node Selector', 'Labels of the nodes.', (object) =>
    formatLabels(at(object, 'spec', 'template', 'spec', 'nodeSelector')),
  ),
  AGE,
  CONTAINERS,
  IMAGES,
  SELECTOR,
];

function count(name: string, description: string, key: string) {
  return column(name, description, (object) => numberAt(object, 'status', key) ?? 0, { type: 'integer' });
}

function ofContainers(object: KubeObject, key: string): string {
  return objectsAt(object, 'spec', 'template', 'spec', 'containers')
    .map((container) => textAt(container, key))
    .join(',');
}
