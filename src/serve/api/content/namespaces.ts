/**
 * The end of a namespace: everything in it is deleted; when nothing is left its finalizer goes, and with it the
 * namespace (Kubernetes' namespace controller, here inside of the server because only it knows all kinds).
 */
import type { Api } from '#serve/api/api.ts';
import { readStored } from '#serve/api/storage.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { removeObject } from '#serve/api/verbs/remove.ts';
import { NAMESPACE } from '#spec/kinds/core/namespace.ts';
import { ensureObject, textAt, textsAt } from '#spec/kinds/json.ts';
import { resourceOf } from '#spec/kinds/kind.ts';

const FINALIZER = 'kubernetes';
const OPTIONS = { dryRun: false, gracePeriodSeconds: undefined, uid: '', resourceVersion: '' } as const;

/** Watches the store for namespaces that end, until disposed. */
export function endNamespaces(api: Api): Disposable {
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
  for (const stored of api.store.list(resourceOf(NAMESPACE))) if (isEnding(stored.fields)) schedule(stored.name);
  return api.store.subscribe(undefined, ({ type, object }) => {
    if (object.resource === resourceOf(NAMESPACE)) {
      if (type !== 'DELETED' && isEnding(object.fields)) schedule(object.name);
    } else if (type === 'DELETED' && object.namespace !== '' && namespaceEnds(api, object.namespace))
      schedule(object.namespace);
  });
}

function isEnding(fields: Readonly<Record<string, string>>): boolean {
  return fields['status.phase'] === 'Terminating';
}

function namespaceEnds(api: Api, name: string): boolean {
  const stored = api.store.get({ resource: resourceOf(NAMESPACE), namespace: '', name });
  return stored !== undefined && isEnding(stored.fields);
}

/** A failure (a full disk) is logged; the next event or start tries again. */
function attempt(api: Api, name: string): void {
  try {
    empty(api, name);
  } catch (error) {
    api.log.error({ err: error, namespace: name }, 'cannot end the namespace');
  }
}

function empty(api: Api, name: string): void {
  if (!namespaceEnds(api, name)) return;
  let left = 0;
  for (const kind of api.kinds.all().filter((row) => row.namespaced && row.storedAs === undefined)) {
    for (const stored of api.store.list(resourceOf(kind)).filter((one) => one.namespace === name)) {
      if (textAt(readStored(stored), 'metadata', 'deletionTimestamp') === '')
        removeObject(api, kind, name, stored.name, OPTIONS);
      if (api.store.get({ resource: resourceOf(kind), namespace: name, name: stored.name }) !== undefined) left += 1;
    }
  }
  if (left === 0) finalize(api, name);
}

function finalize(api: Api, name: string): void {
  changeObject(
    api,
    { kind: NAMESPACE, namespace: '', name, subresource: 'finalize' },
    (namespace) => {
      ensureObject(namespace, 'spec').finalizers = textsAt(namespace, 'spec', 'finalizers').filter(
        (one) => one !== FINALIZER,
      );
      return namespace;
    },
    false,
  );
}
