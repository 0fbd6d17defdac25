/** `pods/binding`: the scheduler's word where a pod runs. */
import { type Api, type Call, timeText } from '#serve/api/api.ts';
import { readObject } from '#serve/api/http/body.ts';
import { conflict, invalidObject } from '#serve/api/http/status-error.ts';
import { answerText } from '#serve/api/verbs/answer.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { writeOptionsOf } from '#serve/api/verbs/options.ts';
import { ensureObject, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';
import { type KubeObject, required } from '#spec/kinds/kind.ts';

export async function bindPod(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  const body = await readObject(call.request);
  const node = textAt(body, 'target', 'name');
  if (node === '') throw invalidObject({ group: '', kind: 'Binding' }, info.name, [required('target.name')]);
  const target = { kind, namespace: info.namespace, name: info.name, subresource: 'binding' };
  const now = timeText(api.now());
  changeObject(api, target, (pod) => bound(pod, node, now, call), writeOptionsOf(call.query, 'CreateOptions').dryRun);
  await answerText(call, 201, '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}');
}

function bound(pod: KubeObject, node: string, now: string, call: Call): KubeObject {
  const spec = ensureObject(pod, 'spec');
  if (textAt(pod, 'metadata', 'deletionTimestamp') !== '') {
    throw conflict(call.kind, call.info.name, `pod ${call.info.name} is being deleted, cannot be assigned to a host`);
  }
  const before = textAt(spec, 'nodeName');
  if (before !== '')
    throw conflict(call.kind, call.info.name, `pod ${call.info.name} is already assigned to node "${before}"`);
  spec.nodeName = node;
  const status = ensureObject(pod, 'status');
  delete status.nominatedNodeName; // no room has to be made any more
  const others = objectsAt(status, 'conditions').filter((one) => one.type !== 'PodScheduled');
  const scheduled: JsonObject = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now };
  status.conditions = [...others, scheduled];
  return pod;
}
