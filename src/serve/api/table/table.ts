/** Tables for printing (meta.k8s.io Table; Kubernetes "API concepts" §Receiving resources as Tables). */
import { badRequest } from '#serve/api/http/status-error.ts';
import { partialMetadata } from '#serve/api/table/partial.ts';
import type { Json, JsonObject } from '#spec/kinds/json.ts';
import type { Column, Kind, KubeObject } from '#spec/kinds/kind.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** @throws StatusError 400 */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject') ?? '';
  if (text === '' || text === 'Metadata') return 'Metadata';
  if (text === 'None' || text === 'Object') return text;
  throw badRequest(`unrecognized includeObject value: "${text}"`);
}

/** The table of some objects; `now` in milliseconds is what ages are counted from. */
export function tableOf(
  kind: Kind,
  objects: readonly KubeObject[],
  metadata: JsonObject,
  now: number,
  version: string,
  include: IncludeObject,
): JsonObject {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: columnsOf(kind),
    rows: objects.map((object) => rowOf(kind, object, now, version, include)),
  };
}

/** `columnDefinitions` of a kind's table. */
export function columnsOf(kind: Kind): JsonObject[] {
  return kind.columns.map(definitionOf);
}

/** The row of one object. */
export function rowOf(
  kind: Kind,
  object: KubeObject,
  now: number,
  version: string,
  include: IncludeObject,
): JsonObject {
  return {
    cells: kind.columns.map((column) => column.cell(object, now)),
    object: included(object, version, include),
  };
}

function definitionOf(column: Column): JsonObject {
  return {
    name: column.name,
    type: column.type,
    format: column.format ?? '',
    description: column.description,
    priority: column.priority ?? 0,
  };
}

function included(object: KubeObject, version: string, include: IncludeObject): Json {
  switch (include) {
    case 'None':
      return null;
    case 'Metadata':
      return partialMetadata(object, version);
    case 'Object':
      return object;
  }
}
