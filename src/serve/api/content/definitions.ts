/**
 * CustomResourceDefinitions at work: what they define is served from the turn in which they are written, and their
 * objects go before they do.
 */
import { type Api, keyOf } from '#serve/api/api.ts';
import { putObject, readStored } from '#serve/api/storage.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { removeObject } from '#serve/api/verbs/remove.ts';
import {
  CLEANUP_FINALIZER,
  CUSTOM_RESOURCE_DEFINITION,
  DEFINITIONS,
  isEstablished,
} from '#spec/kinds/custom/definition.ts';
import { kindsOf, storedKindOf } from '#spec/kinds/custom/kind.ts';
import { objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { apiVersionOf, type Kind, type KubeObject, resourceOf } from '#spec/kinds/kind.ts';

const OPTIONS = { dryRun: false, gracePeriodSeconds: undefined, uid: '', resourceVersion: '', policy: 'Background' };

/** Serves what the definitions define, now and later, until it is disposed. */
export function serveDefinitions(api: Api): Disposable {
  const due = new Set<string>();
  const run = (): void => {
    const names = [...due];
    due.clear();
    for (const name of names) attempt(api, name);
  };
  const schedule = (name: string): void => {
    if (due.size === 0) setImmediate(run);
    due.add(name);
  };
  for (const stored of api.store.list(DEFINITIONS)) {
    serve(api, readStored(stored));
    schedule(stored.name);
  }
  return api.store.subscribe(undefined, ({ type, object }) => {
    if (object.resource === DEFINITIONS) {
      serve(api, readStored(object), type === 'DELETED');
      for (const name of type === 'DELETED' ? namesWaiting(api, object) : [object.name]) schedule(name);
    } else if (type === 'DELETED' && isEnding(api, object.resource)) schedule(object.resource);
  });
}

/** A definition is named as the resource that it defines. */
function isEnding(api: Api, name: string): boolean {
  const stored = api.store.get(keyOf(CUSTOM_RESOURCE_DEFINITION, '', name));
  return stored !== undefined && textAt(readStored(stored), 'metadata', 'deletionTimestamp') !== '';
}

function serve(api: Api, definition: KubeObject, gone = false): void {
  const rows = gone || !isEstablished(definition) ? [] : kindsOf(definition);
  const ends = textAt(definition, 'metadata', 'deletionTimestamp') !== '';
  api.kinds.define(definition.metadata.name, ends ? rows.map(withoutCreation) : rows);
  for (const row of rows) if (Object.keys(row.fields ?? {}).length > 0) api.store.reindex(resourceOf(row));
}

/** While it ends nothing new is made of it. */
function withoutCreation(row: Kind): Kind {
  return { ...row, verbs: ['delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] };
}

/** Others that may take the names which this one leaves. */
function namesWaiting(api: Api, gone: StoredObject): string[] {
  return api.store
    .list(DEFINITIONS)
    .filter((one) => one.name !== gone.name && !isEstablished(readStored(one)))
    .map((one) => one.name);
}

/** A failure (a full disk) is logged; the next event or start tries again. */
function attempt(api: Api, name: string): void {
  try {
    tend(api, name);
  } catch (error) {
    api.log.error({ err: error, definition: name }, 'cannot tend the definition');
  }
}

function tend(api: Api, name: string): void {
  const stored = api.store.get(keyOf(CUSTOM_RESOURCE_DEFINITION, '', name));
  if (stored === undefined) return;
  const definition = readStored(stored);
  if (textAt(definition, 'metadata', 'deletionTimestamp') !== '') empty(api, definition);
  else if (!isEstablished(definition)) change(api, name, (one) => one);
  else alignStored(api, definition);
}

function change(api: Api, name: string, mutate: (object: KubeObject) => KubeObject): void {
  changeObject(api, { kind: CUSTOM_RESOURCE_DEFINITION, namespace: '', name, subresource: '' }, mutate, false);
}

/** Removes the objects; the definition's finalizer goes with the last one. */
function empty(api: Api, definition: KubeObject): void {
  const kind = storedKindOf(definition);
  const left = kind === undefined ? 0 : removeAll(api, kind);
  const others = textsAt(definition, 'metadata', 'finalizers').filter((one) => one !== CLEANUP_FINALIZER);
  if (left > 0 || others.length === textsAt(definition, 'metadata', 'finalizers').length) return;
  change(api, definition.metadata.name, (one) => {
    one.metadata.finalizers = others;
    return one;
  });
}

function removeAll(api: Api, kind: Kind): number {
  // The table's own kinds stay, whoever defines them again.
  if (api.kinds.find(kind, kind.plural)?.schema === undefined) return 0;
  for (const stored of api.store.list(resourceOf(kind))) {
    if (textAt(readStored(stored), 'metadata', 'deletionTimestamp') === '')
      removeObject(api, kind, stored.namespace, stored.name, OPTIONS);
  }
  return api.store.list(resourceOf(kind)).length;
}

/** When another version is the stored one from now on, the objects are written in that one. */
function alignStored(api: Api, definition: KubeObject): void {
  const kind = storedKindOf(definition);
  if (kind === undefined || objectsAt(definition, 'spec', 'versions').length < 2) return;
  const apiVersion = apiVersionOf(kind);
  for (const stored of api.store.list(resourceOf(kind))) {
    const object = readStored(stored);
    if (object.apiVersion !== apiVersion)
      putObject(api, kind, keyOf(kind, stored.namespace, stored.name), { ...object, apiVersion });
  }
}
