/** One request for a resource: its verb, done. */
import { type Api, type Call, keyOf } from '#serve/api/api.ts';
import { withoutEscalation } from '#serve/api/authorization/guard.ts';
import { restrictNodeOn } from '#serve/api/authorization/node-writes.ts';
import { mediaTypeOf, parseBody, readBody, readParsed, requireObject } from '#serve/api/http/body.ts';
import { methodNotAllowed, notFound, tooLargeRevision } from '#serve/api/http/status-error.ts';
import { madeObjects } from '#serve/api/metrics/metrics.ts';
import { answerQuestion } from '#serve/api/reviews/answer.ts';
import { readAs, textAs, type Written } from '#serve/api/storage.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';
import { handleSubresource } from '#serve/api/subresources/handle.ts';
import { answerObject, answerText } from '#serve/api/verbs/answer.ts';
import { apply } from '#serve/api/verbs/apply.ts';
import { changeObject, checkName, checkVersion } from '#serve/api/verbs/change.ts';
import { createObject } from '#serve/api/verbs/create.ts';
import { readIncoming } from '#serve/api/verbs/incoming.ts';
import { list, listMade } from '#serve/api/verbs/list.ts';
import { invalidOptions, wholeNumberOf, writeOptionsOf } from '#serve/api/verbs/options.ts';
import { APPLY_TYPE, readPatch } from '#serve/api/verbs/patch.ts';
import { deleteOptionsOf, removeObject } from '#serve/api/verbs/remove.ts';
import { selectionOf } from '#serve/api/verbs/selection.ts';
import { watch } from '#serve/api/verbs/watch.ts';
import { trackOf } from '#serve/api/verbs/writer.ts';
import { type JsonObject, textAt } from '#spec/kinds/json.ts';
import { apiVersionOf, forbidden, type KubeObject, listKindOf, resourceOf } from '#spec/kinds/kind.ts';

/** @throws StatusError whatever the answer is when it is not the asked-for object */
export async function handle(api: Api, call: Call): Promise<void> {
  const { subresource, verb } = call.info;
  if (subresource !== '' && !(subresource === 'status' && call.kind.status === true))
    return await handleSubresource(api, call);
  if (call.kind.verbs?.includes(verb) === false) throw methodNotAllowed();
  const make = madeObjects(call.kind);
  if (make !== undefined) return await answerMade(api, call, await make(api));
  switch (verb) {
    case 'get':
      return await get(api, call);
    case 'list':
      return await list(api, call);
    case 'watch':
      return watch(api, call);
    case 'create':
      return await create(api, call);
    case 'update':
      return await update(api, call);
    case 'patch':
      return await patch(api, call);
    case 'delete':
      return await remove(api, call);
    case 'deletecollection':
      return await removeAll(api, call);
  }
}

async function answerMade(api: Api, call: Call, objects: readonly StoredObject[]): Promise<void> {
  const { kind, info } = call;
  if (info.verb === 'list') return await listMade(api, call, objects);
  const found = objects.find(({ namespace, name }) => namespace === info.namespace && name === info.name);
  if (found === undefined) throw notFound(kind, info.name);
  await answerObject(api, call, 200, () => readAs(kind, found), found.text);
}

async function get(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  const asked = wholeNumberOf(call.query, 'resourceVersion') ?? 0;
  if (asked > api.store.revision) throw tooLargeRevision(asked, api.store.revision);
  const stored = api.store.get(keyOf(kind, info.namespace, info.name));
  if (stored === undefined) throw notFound(kind, info.name);
  await answerObject(api, call, 200, () => readAs(kind, stored), textAs(kind, stored));
}

async function answerWritten(api: Api, call: Call, code: number, { object, text }: Written): Promise<void> {
  await answerObject(api, call, code, () => object, text);
}

async function create(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  if (info.name !== '' || (kind.namespaced && info.namespace === '')) throw methodNotAllowed();
  const options = writeOptionsOf(call.query, 'CreateOptions');
  const object = readIncoming(await readParsed(call.request), kind, options, call.response);
  kind.author?.(object, call.user);
  const answer = answerQuestion(api, call, object);
  if (answer !== undefined) return await answerText(call, 201, JSON.stringify(answer));
  await answerWritten(
    api,
    call,
    201,
    createObject(api, kind, info.namespace, withoutEscalation(api, call, object), options.dryRun, trackOf(api, call)),
  );
}

async function update(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  if (info.name === '') throw methodNotAllowed();
  const options = writeOptionsOf(call.query, 'UpdateOptions');
  const object = readIncoming(await readParsed(call.request), kind, options, call.response);
  checkName(object, info.name);
  checkVersion(object, kind);
  const target = { kind, namespace: info.namespace, name: info.name, subresource: info.subresource };
  await answerWritten(
    api,
    call,
    200,
    changeObject(api, target, (old) => withoutEscalation(api, call, object, old), options.dryRun, trackOf(api, call)),
  );
}

async function patch(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  if (info.name === '') throw methodNotAllowed();
  const options = writeOptionsOf(call.query, 'PatchOptions');
  const body = await readBody(call.request);
  const mediaType = mediaTypeOf(call.request);
  if (mediaType === APPLY_TYPE) {
    const { code, ...written } = await apply(api, call, body);
    return await answerWritten(api, call, code, written);
  }
  if (call.query.has('force'))
    throw invalidOptions('PatchOptions', [forbidden('force', 'may not be specified for non-apply patch')]);
  const { apply: change, duplicates } = readPatch(body.toString('utf8'), mediaType, kind.type);
  const target = { kind, namespace: info.namespace, name: info.name, subresource: info.subresource };
  const mutate = (old: KubeObject) =>
    withoutEscalation(api, call, readIncoming({ value: change(old), duplicates }, kind, options, call.response), old);
  await answerWritten(api, call, 200, changeObject(api, target, mutate, options.dryRun, trackOf(api, call)));
}

async function deleteOptions(call: Call) {
  const bytes = await readBody(call.request);
  const body = bytes.length === 0 ? {} : requireObject((await parseBody(bytes, mediaTypeOf(call.request))).value);
  return deleteOptionsOf(body, call.query);
}

async function remove(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  if (info.subresource !== '') throw methodNotAllowed();
  restrictNodeOn(api, call);
  const removal = removeObject(api, kind, info.namespace, info.name, await deleteOptions(call));
  if (!removal.gone || kind.grace !== undefined) return await answerWritten(api, call, 200, removal);
  const details: JsonObject = { name: info.name, kind: kind.plural, uid: textAt(removal.object, 'metadata', 'uid') };
  if (kind.group !== '') details.group = kind.group;
  await answerText(
    call,
    200,
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }),
  );
}

async function removeAll(api: Api, call: Call): Promise<void> {
  const { kind, info } = call;
  if (kind.namespaced && info.namespace === '') throw methodNotAllowed();
  const options = await deleteOptions(call);
  const { matches } = selectionOf(call);
  const removed: string[] = [];
  for (const stored of api.store.list(resourceOf(kind)).filter(matches)) {
    removed.push(removeObject(api, kind, stored.namespace, stored.name, options).text);
  }
  const metadata = JSON.stringify({ resourceVersion: String(api.store.revision) });
  const head = `{"kind":"${listKindOf(kind)}","apiVersion":"${apiVersionOf(kind)}","metadata":${metadata},"items":[`;
  await answerText(call, 200, `${head}${removed.join(',')}]}`);
}
