/** `pods/eviction` (policy/v1): a deletion that disruption budgets may refuse; there are none yet. */
import type { Api, Call } from '#serve/api/api.ts';
import { readObject } from '#serve/api/http/body.ts';
import { answerText } from '#serve/api/verbs/answer.ts';
import { deleteOptionsOf, removeObject } from '#serve/api/verbs/remove.ts';
import { objectAt } from '#spec/kinds/json.ts';

export async function evictPod(api: Api, call: Call): Promise<void> {
  const body = await readObject(call.request);
  const options = deleteOptionsOf(objectAt(body, 'deleteOptions'), call.query);
  removeObject(api, call.kind, call.info.namespace, call.info.name, options);
  await answerText(call, 201, '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}');
}
