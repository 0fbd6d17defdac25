/** `scale` (autoscaling/v1 Scale): the number of replicas of whatever has one, without the rest of the object. */
import type { Api, Call } from '#serve/api/api.ts';
import { keyOf } from '#serve/api/api.ts';
import { mediaTypeOf, readBody, readObject } from '#serve/api/http/body.ts';
import { badRequest, conflict, invalidObject, MODIFIED_MEANWHILE, notFound } from '#serve/api/http/status-error.ts';
import { readAs } from '#serve/api/storage.ts';
import { answerObject } from '#serve/api/verbs/answer.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { writeOptionsOf } from '#serve/api/verbs/options.ts';
import { readPatch } from '#serve/api/verbs/patch.ts';
import { trackOf } from '#serve/api/verbs/writer.ts';
import { formatSelector } from '#spec/kinds/columns/common.ts';
import { at, ensureObject, type JsonObject, numberAt, textAt } from '#spec/kinds/json.ts';
import { invalid, type Kind, type KubeObject, type ObjectMeta } from '#spec/kinds/kind.ts';
import { SCALE_COLUMNS, SCALE_TYPE } from '#spec/kinds/scale.ts';
import { decodeObject, ShapeError } from '#spec/kinds/schema/decode.ts';

export async function scaleObject(api: Api, call: Call): Promise<void> {
  if (call.info.verb === 'get') return await answerScale(api, call, current(api, call));
  const wanted = await wantedScale(call);
  const { kind, info } = call;
  const target = { kind, namespace: info.namespace, name: info.name, subresource: 'scale' };
  const change = (old: KubeObject) => scaled(old, wanted(scaleOf(old, kind)), call);
  const { object } = changeObject(
    api,
    target,
    change,
    writeOptionsOf(call.query, 'UpdateOptions').dryRun,
    trackOf(api, call),
  );
  await answerScale(api, call, object);
}

function current(api: Api, { kind, info }: Call): KubeObject {
  const stored = api.store.get(keyOf(kind, info.namespace, info.name));
  if (stored === undefined) throw notFound(kind, info.name);
  return readAs(kind, stored);
}

/** What the request makes of the scale as it is. */
async function wantedScale(call: Call): Promise<(old: JsonObject) => JsonObject> {
  if (call.info.verb === 'patch')
    return readPatch((await readBody(call.request)).toString('utf8'), mediaTypeOf(call.request), SCALE_TYPE).apply;
  const body = await readObject(call.request);
  return () => body;
}

/** @throws StatusError 400 (shape), 409 (another version), 422 (a negative number) */
function scaled(object: KubeObject, scale: JsonObject, { kind, info }: Call): KubeObject {
  checkShape(scale);
  const version = textAt(scale, 'metadata', 'resourceVersion');
  if (version !== '' && version !== textAt(object, 'metadata', 'resourceVersion'))
    throw conflict(kind, info.name, MODIFIED_MEANWHILE);
  const replicas = numberAt(scale, 'spec', 'replicas') ?? 0;
  if (replicas < 0) {
    const problem = invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
    throw invalidObject({ group: 'autoscaling', kind: 'Scale' }, info.name, [problem]);
  }
  const path = kind.scale?.spec ?? SPEC;
  const holder = path.slice(0, -1).reduce((here, key) => ensureObject(here, key), objectOf(object));
  holder[path.at(-1) ?? 'replicas'] = replicas;
  return object;
}

function checkShape(scale: JsonObject): void {
  try {
    decodeObject(scale, SCALE_TYPE);
  } catch (error) {
    if (error instanceof ShapeError) throw badRequest(error.message);
    throw error;
  }
}

/** Where most kinds have it. */
const SPEC = ['spec', 'replicas'];
const STATUS = ['status', 'replicas'];
const SELECTOR = ['spec', 'selector'];

function objectOf(object: KubeObject): JsonObject {
  return object;
}

function scaleOf(object: KubeObject, kind: Kind): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const metadata: ObjectMeta = { name };
  for (const [key, value] of Object.entries({ namespace, uid, resourceVersion, creationTimestamp }))
    if (value !== undefined) metadata[key] = value;
  const selector = at(object, ...(kind.scale?.selector ?? SELECTOR));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { replicas: numberAt(object, ...(kind.scale?.spec ?? SPEC)) ?? 0 },
    status: {
      replicas: numberAt(object, ...(kind.scale?.status ?? STATUS)) ?? 0,
      selector: typeof selector === 'string' ? selector : selector === undefined ? '' : formatSelector(selector),
    },
  };
}

/** As a Scale, whose columns are its own. */
async function answerScale(api: Api, call: Call, object: KubeObject): Promise<void> {
  const scale = scaleOf(object, call.kind);
  const asScale = { ...call, kind: { ...call.kind, columns: SCALE_COLUMNS } };
  await answerObject(api, asScale, 200, () => scale, JSON.stringify(scale));
}
