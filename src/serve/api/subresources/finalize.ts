/** `namespaces/finalize`: takes finalizers of the namespace's spec away. */
import type { Api, Call } from '#serve/api/api.ts';
import { readObject } from '#serve/api/http/body.ts';
import { answerObject } from '#serve/api/verbs/answer.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { writeOptionsOf } from '#serve/api/verbs/options.ts';
import { ensureObject, textsAt } from '#spec/kinds/json.ts';

export async function finalizeNamespace(api: Api, call: Call): Promise<void> {
  const body = await readObject(call.request);
  const finalizers = textsAt(body, 'spec', 'finalizers');
  const { object, text } = changeObject(
    api,
    { kind: call.kind, namespace: '', name: call.info.name, subresource: 'finalize' },
    (old) => {
      ensureObject(old, 'spec').finalizers = finalizers;
      return old;
    },
    writeOptionsOf(call.query, 'UpdateOptions').dryRun,
  );
  await answerObject(api, call, 200, () => object, text);
}
