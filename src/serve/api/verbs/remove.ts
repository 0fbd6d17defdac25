/** Removing objects: at once, after a grace period that their owner ends, or when their finalizers are gone. */
import { type Api, keyOf, timeText } from '#serve/api/api.ts';
import { badRequest, conflict, forbiddenTo, notFound } from '#serve/api/http/status-error.ts';
import { dropObject, putObject, readAs, textAs, type Written } from '#serve/api/storage.ts';
import { dryRunOf, invalidOptions } from '#serve/api/verbs/options.ts';
import { at, type Json, type JsonObject, listAt, numberAt, sameJson, textAt, textsAt } from '#spec/kinds/json.ts';
import { invalid, type Kind, type KubeObject, unsupported } from '#spec/kinds/kind.ts';

export interface DeleteOptions {
  readonly dryRun: boolean;
  /** Seconds; undefined: the kind decides. */
  readonly gracePeriodSeconds: number | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
  /** What becomes of dependents; '' leaves it to the kind: they go afterwards. */
  readonly policy?: string;
}

export interface Removal extends Written {
  /** The object is gone; otherwise it waits for its grace period or its finalizers. */
  readonly gone: boolean;
}

const POLICIES = ['Foreground', 'Background', 'Orphan'];

/** From the body or, where that says nothing, the query. @throws StatusError 400 (shape), 422 */
export function deleteOptionsOf(body: JsonObject, query: URLSearchParams): DeleteOptions {
  return {
    dryRun: dryRunOf([...textsAt(body, 'dryRun'), ...query.getAll('dryRun')], 'DeleteOptions'),
    gracePeriodSeconds: graceOf(at(body, 'gracePeriodSeconds') ?? query.get('gracePeriodSeconds') ?? ''),
    uid: textAt(body, 'preconditions', 'uid'),
    resourceVersion: textAt(body, 'preconditions', 'resourceVersion'),
    policy: policyOf(body, query),
  };
}

/** Undefined: not asked for. A negative number is taken for 1, as Kubernetes takes it. */
function graceOf(asked: Json): number | undefined {
  if (asked === '') return undefined;
  const seconds = Number(asked);
  if (!Number.isInteger(seconds)) throw badRequest(`invalid value for gracePeriodSeconds: ${JSON.stringify(asked)}`);
  return seconds < 0 ? 1 : seconds;
}

/** `orphanDependents` is the older way to say it. */
function policyOf(body: JsonObject, query: URLSearchParams): string {
  const older = at(body, 'orphanDependents') ?? query.get('orphanDependents') ?? undefined;
  const policy = textAt(body, 'propagationPolicy') || (query.get('propagationPolicy') ?? '');
  const field = 'propagationPolicy';
  if (policy !== '' && !POLICIES.includes(policy))
    throw invalidOptions('DeleteOptions', [unsupported(field, policy, [...POLICIES, 'nil'])]);
  if (policy !== '' && older !== undefined)
    throw invalidOptions('DeleteOptions', [
      invalid(field, policy, 'orphanDependents and deletionPropagation cannot be both set'),
    ]);
  return older === true || older === 'true' ? 'Orphan' : policy;
}

/** @throws StatusError 403 for what a cluster lives by, 404, 409 when a precondition fails */
export function removeObject(api: Api, kind: Kind, namespace: string, name: string, options: DeleteOptions): Removal {
  const key = keyOf(kind, namespace, name);
  const stored = api.store.get(key);
  if (stored === undefined) throw notFound(kind, name);
  const object = readAs(kind, stored);
  const why = kind.immortal?.(object);
  if (why !== undefined) throw forbiddenTo(kind, name, why);
  checkPreconditions(object, kind, options);
  const changed = beginDeletion(api, object, kind, options);
  const gone = isFinal(object, kind);
  if (options.dryRun || (!gone && !changed))
    return { object, text: options.dryRun ? JSON.stringify(object) : textAs(kind, stored), gone };
  return { ...(gone ? dropObject : putObject)(api, kind, key, object), gone };
}

function checkPreconditions(object: KubeObject, kind: Kind, options: DeleteOptions): void {
  const { name } = object.metadata;
  for (const [key, label, asked] of [
    ['uid', 'UID', options.uid],
    ['resourceVersion', 'ResourceVersion', options.resourceVersion],
  ] as const) {
    const found = textAt(object, 'metadata', key);
    if (asked === '' || asked === found) continue;
    throw conflict(
      kind,
      name,
      `Precondition failed: ${label} in precondition: ${asked}, ${label} in object meta: ${found}`,
    );
  }
}

/** Sets the deletion time; a later request may only shorten the grace. Tells whether the object changed. */
function beginDeletion(api: Api, object: KubeObject, kind: Kind, options: DeleteOptions): boolean {
  const { metadata } = object;
  const grace = kind.grace?.(object, options.gracePeriodSeconds) ?? 0;
  const running = numberAt(metadata, 'deletionGracePeriodSeconds');
  const begun = textAt(metadata, 'deletionTimestamp') !== '';
  const held = holdForDependents(object, options.policy ?? '');
  if (begun && grace >= (running ?? 0)) return held;
  metadata.deletionTimestamp = timeText(api.now() + grace * 1000);
  metadata.deletionGracePeriodSeconds = grace;
  kind.markDeleted?.(object);
  return true;
}

/** The garbage collector's finalizers for each policy (Kubernetes "Garbage Collection" §Cascading deletion). */
const HOLDS: Readonly<Record<string, string>> = { Foreground: 'foregroundDeletion', Orphan: 'orphan' };

/** Lets the object wait until the garbage collector has seen to its dependents. Tells whether it changed. */
function holdForDependents(object: KubeObject, policy: string): boolean {
  if (policy === '') return false;
  const before = textsAt(object, 'metadata', 'finalizers');
  const others = before.filter((one) => !Object.values(HOLDS).includes(one));
  const hold = HOLDS[policy];
  const after = hold === undefined ? others : [...others, hold];
  if (sameJson(before, after)) return false;
  if (after.length === 0) delete object.metadata.finalizers;
  else object.metadata.finalizers = after;
  return true;
}

/** Whether nothing holds up the deletion of an object any more. */
export function isFinal(object: KubeObject, kind: Kind): boolean {
  if (textAt(object, 'metadata', 'deletionTimestamp') === '') return false;
  if ((numberAt(object, 'metadata', 'deletionGracePeriodSeconds') ?? 0) > 0) return false;
  return listAt(object, 'metadata', 'finalizers').length === 0 && (kind.finalizers?.(object) ?? []).length === 0;
}
