/** What nodes and pods use (metrics.k8s.io/v1beta1, as metrics-server serves it): made when it is asked for, stored nowhere. */
import { column, NAME } from '#spec/kinds/columns/common.ts';
import { type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { Kind, KubeObject } from '#spec/kinds/kind.ts';

const USAGE: JsonObject = {
  type: 'object',
  description: 'CPU and memory in use.',
  additionalProperties: { type: 'string', format: 'quantity' },
};
const MEASURED: JsonObject = {
  timestamp: { type: 'string', format: 'date-time', description: 'The end of the time in which it was measured.' },
  window: { type: 'string', description: 'How long that was.' },
};
const CONTAINERS: JsonObject = {
  type: 'array',
  description: 'Of each container that runs.',
  items: { type: 'object', properties: { name: { type: 'string' }, usage: USAGE } },
};

function measured(kind: string, plural: string, namespaced: boolean, own: JsonObject, columns: Kind['columns']): Kind {
  return {
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    kind,
    plural,
    singular: '',
    namespaced,
    type: '',
    schema: {
      type: 'object',
      description: 'What it uses now, as its kubelet measures it.',
      properties: { ...MEASURED, ...own },
    },
    names: 'subdomain',
    verbs: ['get', 'list'],
    columns,
  };
}

/** The containers' sum stands in `metadata` of no object: it is counted for the table alone. */
function sumOf(object: KubeObject, resource: string): string {
  const unit = resource === 'cpu' ? 'n' : 'Ki';
  const amounts = objectsAt(object, 'containers').map((one) => Number.parseInt(textAt(one, 'usage', resource), 10));
  return `${amounts.reduce((sum, amount) => sum + amount, 0)}${unit}`;
}

export const NODE_METRICS = measured('NodeMetrics', 'nodes', false, { usage: USAGE }, [
  NAME,
  column('CPU', 'In use.', (object) => textAt(object, 'usage', 'cpu')),
  column('Memory', 'In use.', (object) => textAt(object, 'usage', 'memory')),
  column('Window', 'Over which it was measured.', (object) => textAt(object, 'window')),
]);

export const POD_METRICS = measured('PodMetrics', 'pods', true, { containers: CONTAINERS }, [
  NAME,
  column('CPU', 'In use.', (object) => sumOf(object, 'cpu')),
  column('Memory', 'In use.', (object) => sumOf(object, 'memory')),
  column('Window', 'Over which it was measured.', (object) => textAt(object, 'window')),
]);
