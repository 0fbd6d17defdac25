/** Between the form that a kind is served in and the form that is stored: mostly the same. */

import type { Store } from '#serve/api/store/store.ts';
import type { Key, StoredObject } from '#serve/api/store/stored.ts';
import type { Kind, KubeObject } from '#spec/kinds/kind.ts';

/** Whatever has the store: the API as a whole. */
interface WithStore {
  readonly store: Store;
}

/** An object that was read or written, and its JSON. */
export interface Written {
  readonly object: KubeObject;
  readonly text: string;
}

/** The stored text as a value; the store holds only what was checked before. */
export function readStored(stored: StoredObject): KubeObject {
  return JSON.parse(stored.text);
}

/** A stored object in the form of a kind. */
export function readAs(kind: Kind, stored: StoredObject): KubeObject {
  const object = readStored(stored);
  return kind.storedAs === undefined ? object : kind.storedAs.fromStored(object);
}

/** Its JSON in the form of a kind, without parsing where that is the stored one. */
export function textAs(kind: Kind, stored: StoredObject): string {
  return kind.storedAs === undefined ? stored.text : JSON.stringify(readAs(kind, stored));
}

/** Stores an object under the next revision, which becomes its resourceVersion. @throws when the disk refuses */
export function putObject(api: WithStore, kind: Kind, key: Key, object: KubeObject): Written {
  return commit(api, kind, object, (text) => api.store.put(key, text));
}

/** Removes an object; this is its last state. @throws when the disk refuses */
export function dropObject(api: WithStore, kind: Kind, key: Key, object: KubeObject): Written {
  return commit(api, kind, object, (text) => api.store.remove(key, text));
}

function commit(api: WithStore, kind: Kind, object: KubeObject, write: (text: string) => void): Written {
  object.metadata.resourceVersion = String(api.store.next);
  const text = JSON.stringify(object);
  write(kind.storedAs === undefined ? text : JSON.stringify(kind.storedAs.toStored(object)));
  return { object, text };
}
