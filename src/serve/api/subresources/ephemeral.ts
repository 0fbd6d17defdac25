/** `pods/ephemeralcontainers` (KEP-277): containers that are added to a pod that runs, and never changed again. */
import { type Api, type Call, keyOf } from '#serve/api/api.ts';
import { mediaTypeOf, readBody, readParsed } from '#serve/api/http/body.ts';
import { invalidObject, notFound } from '#serve/api/http/status-error.ts';
import { readAs } from '#serve/api/storage.ts';
import { answerObject } from '#serve/api/verbs/answer.ts';
import { changeObject, checkName } from '#serve/api/verbs/change.ts';
import { readIncoming } from '#serve/api/verbs/incoming.ts';
import { writeOptionsOf } from '#serve/api/verbs/options.ts';
import { readPatch } from '#serve/api/verbs/patch.ts';
import { trackOf } from '#serve/api/verbs/writer.ts';
import { ephemeralProblems } from '#spec/kinds/core/pod-ephemeral.ts';
import { ensureObject, objectsAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

/** @throws StatusError 404, 409, 422 */
export async function changeEphemeral(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  if (info.verb === 'get') {
    const stored = api.store.get(keyOf(kind, info.namespace, info.name));
    if (stored === undefined) throw notFound(kind, info.name);
    return await answerObject(api, call, 200, () => readAs(kind, stored), stored.text);
  }
  const wanted = await wantedPod(call);
  const target = { kind, namespace: info.namespace, name: info.name, subresource: info.subresource };
  const options = writeOptionsOf(call.query, 'UpdateOptions');
  const change = (old: KubeObject) => withEphemeral(call, old, wanted(old));
  const { object, text } = changeObject(api, target, change, options.dryRun, trackOf(api, call));
  await answerObject(api, call, 200, () => object, text);
}

/** What the request makes of the pod as it is. */
async function wantedPod(call: Call): Promise<(old: KubeObject) => KubeObject> {
  const { kind, info, request, query, response } = call;
  const options = writeOptionsOf(query, 'UpdateOptions');
  if (info.verb === 'update') {
    const object = readIncoming(await readParsed(request), kind, options, response);
    checkName(object, info.name);
    return () => object;
  }
  const { apply, duplicates } = readPatch((await readBody(request)).toString('utf8'), mediaTypeOf(request), kind.type);
  return (old) => readIncoming({ value: apply(structuredClone(old)), duplicates }, kind, options, response);
}

/** The pod with these ephemeral containers, and nothing else changed. */
function withEphemeral({ kind, info }: Call, old: KubeObject, wanted: KubeObject): KubeObject {
  const containers = objectsAt(wanted, 'spec', 'ephemeralContainers');
  const { metadata } = wanted;
  const asked = { ...old, metadata: { ...old.metadata, resourceVersion: metadata.resourceVersion ?? '' } };
  const object = structuredClone(asked) as KubeObject;
  ensureObject(object, 'spec').ephemeralContainers = structuredClone([...containers]);
  kind.defaults?.(object);
  const problems = ephemeralProblems(object, old);
  if (problems.length > 0) throw invalidObject(kind, info.name, problems);
  return object;
}
