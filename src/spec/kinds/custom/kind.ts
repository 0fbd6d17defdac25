/** Rows of the kinds that a CustomResourceDefinition defines: one for each version that it serves. */

import { ageOf } from '#spec/kinds/age.ts';
import { AGE, NAME } from '#spec/kinds/columns/common.ts';
import { fillDefaults } from '#spec/kinds/custom/defaults.ts';
import { find, type JsonPath, parseJsonPath } from '#spec/kinds/custom/json-path.ts';
import { pruneObject } from '#spec/kinds/custom/prune.ts';
import type { Schema } from '#spec/kinds/custom/schema.ts';
import { validateValue } from '#spec/kinds/custom/validate.ts';
import { at, isObject, type Json, type JsonObject, objectAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import { apiVersionOf, type Cell, type Column, type Kind, type KubeObject, type StoredAs } from '#spec/kinds/kind.ts';
import { SCALE } from '#spec/kinds/scale.ts';

/** The kinds of a definition; the stored version's has no `storedAs`, the others are stored as that one. */
export function kindsOf(definition: KubeObject): Kind[] {
  const versions = objectsAt(definition, 'spec', 'versions');
  const stored = versions.find((version) => version.storage === true);
  if (stored === undefined) return [];
  const hub = kindOf(definition, stored);
  return versions
    .filter((version) => version.served === true)
    .sort((a, b) => versionRank(textAt(b, 'name')) - versionRank(textAt(a, 'name')))
    .map((version) =>
      version === stored ? hub : { ...kindOf(definition, version), storedAs: asHub(hub, textAt(version, 'name')) },
    );
}

/** The kind in which a definition's objects are stored, served or not. */
export function storedKindOf(definition: KubeObject): Kind | undefined {
  const stored = objectsAt(definition, 'spec', 'versions').find((version) => version.storage === true);
  return stored === undefined ? undefined : kindOf(definition, stored);
}

/** `v2` before `v1` before `v1beta2` before `v1alpha1` (Kubernetes "version priority"). */
function versionRank(name: string): number {
  const [, major = '0', stage, minor = '0'] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(name) ?? [];
  const level = stage === undefined ? 2 : stage === 'beta' ? 1 : 0;
  return level * 1e6 + Number(major) * 1e3 + Number(minor);
}

/** Versions differ in their name only (conversion strategy None). */
function asHub(hub: Kind, version: string): StoredAs {
  const withVersion = (object: KubeObject, apiVersion: string): KubeObject => ({ ...object, apiVersion });
  return {
    kind: hub,
    fromStored: (object) => withVersion(object, apiVersionOf({ group: hub.group, version })),
    toStored: (object) => withVersion(object, apiVersionOf(hub)),
    fields: Object.fromEntries(Object.keys(hub.fields ?? {}).map((field) => [field, field])),
  };
}

function kindOf(definition: KubeObject, version: JsonObject): Kind {
  const names = objectAt(definition, 'spec', 'names');
  const schema = objectAt(version, 'schema', 'openAPIV3Schema');
  const subresources = objectAt(version, 'subresources');
  const [shortNames, categories] = [textsAt(names, 'shortNames'), textsAt(names, 'categories')];
  return {
    group: textAt(definition, 'spec', 'group'),
    version: textAt(version, 'name'),
    kind: textAt(names, 'kind'),
    plural: textAt(names, 'plural'),
    singular: textAt(names, 'singular'),
    listKind: textAt(names, 'listKind'),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    namespaced: textAt(definition, 'spec', 'scope') === 'Namespaced',
    type: '',
    schema,
    names: 'subdomain',
    generation: true,
    status: subresources.status !== undefined,
    ...(isObject(subresources.scale) ? scaleOf(subresources.scale) : {}),
    columns: columnsOf(version),
    fields: selectable(version),
    ...warningOf(version, definition),
    ...hooks(schema),
  };
}

function hooks(schema: Schema): Pick<Kind, 'decode' | 'defaults' | 'validate'> {
  return {
    decode: (object) => pruneObject(object, schema),
    defaults: (object) => fillDefaults(object, schema),
    validate: (object) => {
      const { apiVersion: _, kind: _kind, metadata: _meta, ...rest } = object;
      return validateValue(rest, withoutCommon(schema), '');
    },
  };
}

/** What every object has is checked elsewhere. */
function withoutCommon(schema: Schema): Schema {
  if (!Array.isArray(schema.required)) return schema;
  const required = schema.required.filter((key) => key !== 'apiVersion' && key !== 'kind' && key !== 'metadata');
  return { ...schema, required };
}

function warningOf(version: JsonObject, definition: KubeObject): Pick<Kind, 'warning'> {
  if (version.deprecated !== true) return {};
  const name = `${textAt(definition, 'spec', 'group')}/${textAt(version, 'name')} ${textAt(definition, 'spec', 'names', 'kind')}`;
  return { warning: textAt(version, 'deprecationWarning') || `${name} is deprecated` };
}

function scaleOf(scale: JsonObject): Pick<Kind, 'subresources' | 'scale'> {
  const path = (key: string): string[] => textAt(scale, key).split('.').filter(Boolean);
  return {
    subresources: [SCALE],
    scale: { spec: path('specReplicasPath'), status: path('statusReplicasPath'), selector: path('labelSelectorPath') },
  };
}

/** `selectableFields`: what field selectors may name. */
function selectable(version: JsonObject): NonNullable<Kind['fields']> {
  const entries = objectsAt(version, 'selectableFields').map(({ jsonPath }) => {
    const path = String(jsonPath);
    const steps = pathOrNothing(path);
    return [path.replace(/^\./, ''), (object: KubeObject) => String(find(object, steps)[0] ?? '')] as const;
  });
  return Object.fromEntries(entries);
}

function pathOrNothing(text: string): JsonPath {
  try {
    return parseJsonPath(text);
  } catch {
    return [];
  }
}

function columnsOf(version: JsonObject): Column[] {
  const own = objectsAt(version, 'additionalPrinterColumns');
  return own.length === 0 ? [NAME, AGE] : [NAME, ...own.map(columnOf)];
}

function columnOf(column: JsonObject): Column {
  const type = textAt(column, 'type');
  const path = pathOrNothing(textAt(column, 'jsonPath'));
  return {
    name: textAt(column, 'name'),
    type,
    ...(textAt(column, 'format') === '' ? {} : { format: textAt(column, 'format') }),
    description: textAt(column, 'description'),
    priority: Number(at(column, 'priority') ?? 0),
    cell: (object, now) => cellOf(find(object, path), type, now),
  };
}

function cellOf(found: readonly Json[], type: string, now: number): Cell {
  const [first] = found;
  if (first === undefined || first === null) return null;
  switch (type) {
    case 'date':
      return typeof first === 'string' ? ageOf(first, now) : null;
    case 'integer':
    case 'number':
      return typeof first === 'number' ? (type === 'integer' ? Math.trunc(first) : first) : null;
    case 'boolean':
      return typeof first === 'boolean' ? first : null;
    default:
      return found.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(' ');
  }
}
