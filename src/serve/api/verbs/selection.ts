/** Which objects a list, a watch or a deletecollection means. */
import type { Call } from '#serve/api/api.ts';
import { matchesFields, parseFieldSelector } from '#serve/api/select/fields.ts';
import { matchesLabels, parseLabelSelector } from '#serve/api/select/labels.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';

export interface Selection {
  readonly matches: (object: StoredObject) => boolean;
  /** Whether selectors narrow it, beyond the namespace. */
  readonly selective: boolean;
}

/** @throws StatusError 400 on malformed selectors */
export function selectionOf(call: Call): Selection {
  const { namespace, name } = call.info;
  const labels = parseLabelSelector(call.query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(call.query.get('fieldSelector') ?? '', call.kind);
  const matches = (object: StoredObject): boolean =>
    (namespace === '' || object.namespace === namespace) &&
    (name === '' || object.name === name) &&
    matchesLabels(labels, object.labels) &&
    matchesFields(fields, object);
  return { matches, selective: labels.length > 0 || fields.length > 0 || name !== '' };
}
