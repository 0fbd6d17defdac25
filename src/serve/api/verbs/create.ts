/** Making an object. */
import { randomUUID } from 'node:crypto';
import { type Api, keyOf, timeText, worldOf } from '#serve/api/api.ts';
import {
  alreadyExists,
  badRequest,
  forbiddenTo,
  invalidObject,
  notFound,
  StatusError,
} from '#serve/api/http/status-error.ts';
import { checkRules } from '#serve/api/rules/check.ts';
import { putObject, type Written } from '#serve/api/storage.ts';
import { placeIn } from '#serve/api/verbs/incoming.ts';
import type { Track } from '#serve/api/verbs/writer.ts';
import { NAMESPACE } from '#spec/kinds/core/namespace.ts';
import { textAt } from '#spec/kinds/json.ts';
import { type Kind, type KubeObject, resourceOf } from '#spec/kinds/kind.ts';
import { validateMeta } from '#spec/kinds/meta.ts';

/** Letters of generated names: none that form words (Kubernetes `util/rand`). */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const GENERATED_LENGTH = 5;
const NAME_LIMIT = 63;

/**
 * Completes, checks and stores a new object.
 * @param track writes its managers, where somebody made it whose name counts
 * @throws StatusError 400, 403 (namespace ends), 404 (no such namespace), 409 (exists), 422
 */
export function createObject(
  api: Api,
  kind: Kind,
  namespace: string,
  object: KubeObject,
  dryRun: boolean,
  track?: Track,
): Written {
  placeIn(object, kind, namespace);
  if (kind.namespaced) requireNamespace(api, kind, namespace, textAt(object, 'metadata', 'name'));
  beginMeta(api, kind, object);
  if (kind.status === true) delete object.status;
  kind.defaults?.(object);
  track?.(object, undefined);
  const objection = kind.admit?.(object, worldOf(api));
  if (objection !== undefined) throw forbiddenTo(kind, textAt(object, 'metadata', 'name'), objection);
  const problems = [...validateMeta(object, kind), ...(kind.validate?.(object) ?? [])];
  if (problems.length === 0) problems.push(...checkRules(kind, object, undefined));
  if (problems.length === 0) problems.push(...(kind.prepareCreate?.(object, worldOf(api)) ?? []));
  if (problems.length > 0) throw invalidObject(kind, textAt(object, 'metadata', 'name'), problems);
  return store(api, kind, namespace, object, dryRun);
}

function store(api: Api, kind: Kind, namespace: string, object: KubeObject, dryRun: boolean): Written {
  const key = keyOf(kind, namespace, object.metadata.name);
  if (api.store.get(key) !== undefined) throw alreadyExists(kind, key.name);
  return dryRun ? { object, text: JSON.stringify(object) } : putObject(api, kind, key, object);
}

function requireNamespace(api: Api, kind: Kind, namespace: string, name: string): void {
  const found = api.store.get({ resource: resourceOf(NAMESPACE), namespace: '', name: namespace });
  if (found === undefined) throw notFound(NAMESPACE, namespace);
  if (found.fields['status.phase'] !== 'Terminating') return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const error = forbiddenTo(kind, name, why);
  const causes = [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ];
  throw new StatusError(error.code, error.reason, error.message, { ...error.details, causes });
}

function beginMeta(api: Api, kind: Kind, object: KubeObject): void {
  const { metadata } = object;
  if (textAt(metadata, 'resourceVersion') !== '')
    throw badRequest('resourceVersion should not be set on objects to be created');
  const base = textAt(metadata, 'generateName');
  if (textAt(metadata, 'name') === '' && base !== '') metadata.name = generateName(api, kind, object, base);
  for (const key of ['resourceVersion', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation'])
    delete metadata[key];
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timeText(api.now());
  if (kind.generation === true) metadata.generation = 1;
}

function generateName(api: Api, kind: Kind, object: KubeObject, base: string): string {
  for (;;) {
    const name = base.slice(0, NAME_LIMIT - GENERATED_LENGTH) + randomLetters();
    if (api.store.get(keyOf(kind, textAt(object, 'metadata', 'namespace'), name)) === undefined) return name;
  }
}

function randomLetters(): string {
  return Array.from({ length: GENERATED_LENGTH }, () => LETTERS[Math.floor(Math.random() * LETTERS.length)]).join('');
}
