/** The objects of metrics.k8s.io, made from what kubelets say, in the form of stored ones. */
import { type Api, timeText } from '#serve/api/api.ts';
import { summaries } from '#serve/api/metrics/kubelets.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';
import { NODE } from '#spec/kinds/core/node.ts';
import { POD } from '#spec/kinds/core/pod.ts';
import { type JsonObject, numberAt, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { apiVersionOf, type Kind, resourceOf } from '#spec/kinds/kind.ts';
import { NODE_METRICS, POD_METRICS } from '#spec/kinds/metrics.ts';

/** Of kinds that are made when they are asked for; undefined for those that are stored. */
export function madeObjects(kind: Kind): ((api: Api) => Promise<StoredObject[]>) | undefined {
  return MADE[resourceOf(kind)];
}

const MADE: Readonly<Record<string, (api: Api) => Promise<StoredObject[]>>> = {
  [resourceOf(NODE_METRICS)]: async (api) => (await summaries(api)).flatMap((summary) => nodeMetrics(api, summary)),
  [resourceOf(POD_METRICS)]: async (api) =>
    (await summaries(api)).flatMap((summary) => objectsAt(summary, 'pods').flatMap((pod) => podMetrics(api, pod))),
};

function nodeMetrics(api: Api, summary: JsonObject): StoredObject[] {
  const node = objectAt(summary, 'node');
  const name = textAt(node, 'nodeName');
  return made(api, NODE_METRICS, NODE, { namespace: '', name }, node, { usage: usageOf(node) });
}

function podMetrics(api: Api, pod: JsonObject): StoredObject[] {
  const key = { namespace: textAt(pod, 'podRef', 'namespace'), name: textAt(pod, 'podRef', 'name') };
  const all = objectsAt(pod, 'containers');
  const containers = all.map((one) => ({ name: textAt(one, 'name'), usage: usageOf(one) }));
  return made(api, POD_METRICS, POD, key, all[0] ?? {}, { containers });
}

function usageOf(figures: JsonObject): JsonObject {
  const nano = numberAt(figures, 'cpu', 'usageNanoCores') ?? 0;
  const kibi = Math.ceil((numberAt(figures, 'memory', 'workingSetBytes') ?? 0) / 1024);
  return { cpu: `${nano}n`, memory: `${kibi}Ki` };
}

/** Only of what there is: its labels count for selectors. */
function made(
  api: Api,
  kind: Kind,
  of: Kind,
  key: { readonly namespace: string; readonly name: string },
  figures: JsonObject,
  own: JsonObject,
): StoredObject[] {
  const subject = api.store.get({ resource: resourceOf(of), ...key });
  if (subject === undefined) return [];
  const { namespace, name } = key;
  const metadata: JsonObject = { name, creationTimestamp: timeText(api.now()) };
  if (namespace !== '') metadata.namespace = namespace;
  if (Object.keys(subject.labels).length > 0) metadata.labels = { ...subject.labels };
  const timestamp = timeText(Date.parse(textAt(figures, 'cpu', 'time')) || api.now());
  const window = `${(numberAt(figures, 'cpu', 'windowSeconds') ?? 0).toFixed(3)}s`;
  const object = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata, timestamp, window, ...own };
  const { labels } = subject;
  const text = JSON.stringify(object);
  return [{ resource: resourceOf(kind), namespace, name, revision: 0, text, labels, fields: {} }];
}
