/** Changing a stored object: what update and patch share. */
import { type Api, keyOf, worldOf } from '#serve/api/api.ts';
import { conflict, invalidObject, MODIFIED_MEANWHILE, notFound, StatusError } from '#serve/api/http/status-error.ts';
import { checkRules } from '#serve/api/rules/check.ts';
import { dropObject, putObject, readAs, textAs, type Written } from '#serve/api/storage.ts';
import { placeIn } from '#serve/api/verbs/incoming.ts';
import { isFinal } from '#serve/api/verbs/remove.ts';
import type { Track } from '#serve/api/verbs/writer.ts';
import { type Json, listAt, numberAt, sameJson, textAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject } from '#spec/kinds/kind.ts';
import { keepOwnedMeta, validateMeta } from '#spec/kinds/meta.ts';

export interface Target {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  /** '' for the object itself. */
  readonly subresource: string;
}

/**
 * Stores what `mutate` makes of the object; nothing is written when nothing changed.
 * @param track writes its managers, where somebody changes it whose name counts
 * @throws StatusError 404, 409 (another resourceVersion or uid), 422, and what `mutate` throws
 */
export function changeObject(
  api: Api,
  target: Target,
  mutate: (old: KubeObject) => KubeObject,
  dryRun: boolean,
  track?: Track,
): Written {
  const { kind } = target;
  const key = keyOf(kind, target.namespace, target.name);
  const stored = api.store.get(key);
  if (stored === undefined) throw notFound(kind, target.name);
  const old = readAs(kind, stored);
  const object = mutate(readAs(kind, stored));
  placeIn(object, kind, target.namespace);
  checkPreconditions(object, old, kind);
  carryOver(object, old, target);
  const problems = complete(api, object, old, target, track);
  if (problems.length > 0) throw invalidObject(kind, target.name, problems);
  object.metadata.resourceVersion = textAt(old, 'metadata', 'resourceVersion');
  if (sameJson(object, old)) return { object: old, text: textAs(kind, stored) };
  countGeneration(object, old, kind);
  if (dryRun) return { object, text: JSON.stringify(object) };
  return isFinal(object, kind) ? dropObject(api, kind, key, object) : putObject(api, kind, key, object);
}

function checkPreconditions(object: KubeObject, old: KubeObject, kind: Kind): void {
  const [version, uid] = [textAt(object, 'metadata', 'resourceVersion'), textAt(object, 'metadata', 'uid')];
  const name = textAt(old, 'metadata', 'name');
  if (version !== '' && version !== '0' && version !== textAt(old, 'metadata', 'resourceVersion')) {
    throw conflict(kind, name, MODIFIED_MEANWHILE);
  }
  const oldUid = textAt(old, 'metadata', 'uid');
  if (uid === '' || uid === oldUid) return;
  throw conflict(kind, name, `Precondition failed: UID in precondition: ${oldUid}, UID in object meta: ${uid}`);
}

/** What this way of writing may not touch is taken from the stored object. */
function carryOver(object: KubeObject, old: KubeObject, { kind, name, subresource }: Target): void {
  if (object.metadata.name === undefined) object.metadata.name = name;
  keepOwnedMeta(object, old);
  if (subresource === 'status') {
    for (const key of Object.keys({ ...old, ...object })) {
      if (key === 'status' || key === 'metadata') continue;
      const value = old[key];
      if (value === undefined) delete object[key];
      else object[key] = value;
    }
  } else if (kind.status === true && subresource === '') {
    if (old.status === undefined) delete object.status;
    else object.status = old.status;
  }
}

/** Defaults, allocations and checks. */
function complete(
  api: Api,
  object: KubeObject,
  old: KubeObject,
  { kind, subresource }: Target,
  track?: Track,
): FieldError[] {
  const problems = [...immutableName(object, old)];
  kind.defaults?.(object);
  track?.(object, old);
  if (subresource === '') problems.push(...(kind.prepareUpdate?.(object, old, worldOf(api)) ?? []));
  problems.push(...validateMeta(object, kind), ...finalizersOnlyGo(object, old));
  // Of a defined kind the schema holds for every way to write.
  if (subresource !== '' && kind.schema === undefined) return problems;
  problems.push(...(kind.validate?.(object) ?? []), ...(kind.validateUpdate?.(object, old) ?? []));
  return problems.length > 0 ? problems : checkRules(kind, object, old);
}

function immutableName(object: KubeObject, old: KubeObject): FieldError[] {
  if (object.metadata.name === old.metadata.name) return [];
  return [invalid('metadata.name', object.metadata.name, 'field is immutable')];
}

/** An object that is being deleted can get no new finalizers. */
function finalizersOnlyGo(object: KubeObject, old: KubeObject): FieldError[] {
  if (textAt(old, 'metadata', 'deletionTimestamp') === '') return [];
  const before = listAt(old, 'metadata', 'finalizers');
  const added = listAt(object, 'metadata', 'finalizers').filter((one) => !before.includes(one));
  if (added.length === 0) return [];
  return [invalid('metadata.finalizers', [...added], 'no new finalizers can be added if the object is being deleted')];
}

function countGeneration(object: KubeObject, old: KubeObject, kind: Kind): void {
  if (kind.generation !== true || sameJson(contentOf(object, kind), contentOf(old, kind))) return;
  object.metadata.generation = (numberAt(old, 'metadata', 'generation') ?? 0) + 1;
}

/** What the generation counts changes of. */
function contentOf(object: KubeObject, kind: Kind): Json | undefined {
  if (kind.schema === undefined) return object.spec;
  const { metadata: _, status, ...content } = object;
  return kind.status === true || status === undefined ? content : { ...content, status };
}

/** Objects of defined kinds are replaced only by who knows what he replaces. @throws StatusError 422 */
export function checkVersion(object: KubeObject, kind: Kind): void {
  if (kind.schema === undefined || textAt(object, 'metadata', 'resourceVersion') !== '') return;
  const problem = invalid('metadata.resourceVersion', 0, 'must be specified for an update');
  throw invalidObject(kind, object.metadata.name, [problem]);
}

/** PUT must name the object that the path names. @throws StatusError 400 */
export function checkName(object: KubeObject, name: string): void {
  const said = textAt(object, 'metadata', 'name');
  if (said === name) return;
  const message =
    said === ''
      ? 'name must be provided'
      : `the name of the object (${said}) does not match the name on the URL (${name})`;
  throw new StatusError(400, 'BadRequest', message);
}
