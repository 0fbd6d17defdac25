/** What the store indexes of an object: its labels, and the fields that its kind names. */
import type { Kinds } from '#serve/api/kinds.ts';
import type { Index } from '#serve/api/store/store.ts';
import { type JsonObject, objectAt } from '#spec/kinds/json.ts';
import type { Kind, KubeObject } from '#spec/kinds/kind.ts';

const NONE: Index['fields'] = {};

/** The store's `indexOf`, by the table of kinds. */
export function indexWith(kinds: Kinds): (resource: string, text: string) => Index {
  return (resource, text) => {
    const object: KubeObject = JSON.parse(text);
    return {
      labels: textsOf(objectAt(object, 'metadata', 'labels')),
      fields: fieldsOf(kinds.storing(resource), object),
    };
  };
}

function fieldsOf(kind: Kind | undefined, object: KubeObject): Index['fields'] {
  if (kind?.fields === undefined) return NONE;
  return Object.fromEntries(Object.entries(kind.fields).map(([name, read]) => [name, read(object)]));
}

function textsOf(labels: JsonObject): Index['labels'] {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)]));
}
