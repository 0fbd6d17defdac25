/** Field selectors: `metadata.name=x,status.phase!=Running`. Only indexed fields may be named. */
import { badRequest } from '#serve/api/http/status-error.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';
import type { Kind } from '#spec/kinds/kind.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** @throws StatusError 400 when the text is no selector or names a field that the kind does not index */
export function parseFieldSelector(text: string, kind: Kind): FieldRequirement[] {
  const parts = text.split(/(?<!\\),/).filter((part) => part.trim() !== '');
  return parts.map((part) => parseRequirement(part.trim(), text, kind));
}

function parseRequirement(part: string, whole: string, kind: Kind): FieldRequirement {
  const found = /^([^=!]+)(==|=|!=)(.*)$/.exec(part);
  if (found === null) throw badRequest(`invalid selector: '${whole}'; can't understand '${part}'`);
  const [, field = '', sign = '=', value = ''] = found;
  if (!isSelectable(field, kind)) throw badRequest(`field label not supported: ${field}`);
  return {
    field: kind.storedAs?.fields[field] ?? field,
    equal: sign !== '!=',
    value: value.replace(/\\([\\,=])/g, '$1'),
  };
}

function isSelectable(field: string, kind: Kind): boolean {
  if (field === 'metadata.name') return true;
  if (field === 'metadata.namespace') return kind.namespaced;
  if (kind.storedAs !== undefined) return kind.storedAs.fields[field] !== undefined;
  return !field.startsWith('polder.') && kind.fields?.[field] !== undefined;
}

export function matchesFields(requirements: readonly FieldRequirement[], object: StoredObject): boolean {
  return requirements.every(({ field, equal, value }) => (fieldValue(object, field) === value) === equal);
}

function fieldValue(object: StoredObject, field: string): string {
  if (field === 'metadata.name') return object.name;
  if (field === 'metadata.namespace') return object.namespace;
  return object.fields[field] ?? '';
}
