/** OpenAPI documents: what kubectl looks up before it applies (fieldValidation, merge keys) and explains. */
import { type Document, documentOf } from '#serve/api/discovery/documents.ts';
import { kindSchemaName, schemasOf } from '#serve/api/discovery/schemas.ts';
import { VERSION } from '#serve/api/discovery/version.ts';
import type { GroupVersion, Kinds } from '#serve/api/kinds.ts';
import { encodeOpenApiV2 } from '#serve/api/protobuf/openapi-v2.ts';
import { APPLY_TYPE, patchTypesOf } from '#serve/api/verbs/patch.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { apiVersionOf, isQuestion, type Kind } from '#spec/kinds/kind.ts';

const INFO: JsonObject = { title: 'Kubernetes', version: VERSION.gitVersion ?? '' };

/** `api/v1` or `apis/apps/v1`. */
function rootOf(gv: GroupVersion): string {
  return gv.group === '' ? `api/${gv.version}` : `apis/${gv.group}/${gv.version}`;
}

function versionsOf(kinds: Kinds): GroupVersion[] {
  return [...kinds.groups()].flatMap(([group, versions]) => versions.map((version) => ({ group, version })));
}

/** `/openapi/v3`: where the document of each group and version is. */
export function openApiIndex(kinds: Kinds): JsonObject {
  const paths: JsonObject = {};
  for (const gv of versionsOf(kinds)) {
    const { hash } = openApiV3(kinds, gv);
    paths[rootOf(gv)] = { serverRelativeURL: `/openapi/v3/${rootOf(gv)}?hash=${hash}` };
  }
  return { paths };
}

/** The OpenAPI 3.0 document of one group and version. */
export function openApiV3(kinds: Kinds, gv: GroupVersion): Document {
  const rows = kinds.in(gv);
  return documentOf(kinds, rootOf(gv), rows, () => JSON.stringify(makeV3(rows)));
}

function makeV3(rows: readonly Kind[]): JsonObject {
  const refer = (name: string): JsonObject => ({ allOf: [{ $ref: `#/components/schemas/${name}` }], default: {} });
  return {
    openapi: '3.0.0',
    info: INFO,
    paths: pathsOf(rows, operationsV3),
    components: { schemas: schemasOf(rows, { refer, plain: false }) },
  };
}

/** `/openapi/v2`: one Swagger 2.0 document of everything, for older clients. */
export function openApiV2(kinds: Kinds): Document {
  return documentOf(kinds, 'v2', kinds.all(), () => JSON.stringify(makeV2(kinds.all())));
}

/** The same as protobuf. */
export function openApiV2Protobuf(kinds: Kinds): Document {
  return documentOf(kinds, 'v2-protobuf', kinds.all(), () => encodeOpenApiV2(makeV2(kinds.all())));
}

function makeV2(rows: readonly Kind[]): JsonObject {
  const refer = (name: string): JsonObject => ({ $ref: `#/definitions/${name}` });
  return {
    swagger: '2.0',
    info: INFO,
    paths: pathsOf(rows, operationsV2),
    definitions: schemasOf(rows, { refer, plain: true }),
  };
}

function pathsOf(rows: readonly Kind[], operations: (row: Kind, named: boolean) => JsonObject): JsonObject {
  const paths: JsonObject = {};
  for (const row of rows) {
    const base = `/${rootOf(row)}${row.namespaced ? '/namespaces/{namespace}' : ''}/${row.plural}`;
    paths[base] = operations(row, false);
    if (!isQuestion(row)) paths[`${base}/{name}`] = operations(row, true);
  }
  return paths;
}

/** Methods of the collection and of one object, with what each does. */
const COLLECTION = { get: 'list', post: 'post' } as const;
const QUESTION = { post: 'post' } as const;
const OBJECT = { get: 'get', put: 'put', patch: 'patch', delete: 'delete' } as const;
const WRITES = new Set(['post', 'put', 'patch']);

function operationsV3(row: Kind, named: boolean): JsonObject {
  const schema: JsonObject = { $ref: `#/components/schemas/${kindSchemaName(row)}` };
  const content = { 'application/json': { schema } };
  return operations(row, named, (method, common) => {
    const operation: JsonObject = { ...common, responses: { 200: { description: 'OK', content } } };
    if (WRITES.has(method)) {
      operation.parameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({
        name,
        in: 'query',
        schema: { type: 'string' },
      }));
      const types = method === 'patch' ? [...patchTypesOf(row.type), APPLY_TYPE] : ['application/json'];
      operation.requestBody = { content: Object.fromEntries(types.map((type) => [type, { schema }])), required: true };
    }
    return operation;
  });
}

function operationsV2(row: Kind, named: boolean): JsonObject {
  const schema: JsonObject = { $ref: `#/definitions/${kindSchemaName(row)}` };
  return operations(row, named, (method, common) => {
    const operation: JsonObject = { ...common, responses: { 200: { description: 'OK', schema } } };
    if (method === 'patch') operation.consumes = [...patchTypesOf(row.type), APPLY_TYPE];
    if (WRITES.has(method)) {
      const body: JsonObject = { name: 'body', in: 'body', required: true, schema };
      operation.parameters = [
        body,
        ...['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({ name, in: 'query', type: 'string' })),
      ];
    }
    return operation;
  });
}

function operations(row: Kind, named: boolean, make: (method: string, common: JsonObject) => JsonObject): JsonObject {
  const gvk: JsonObject = { group: row.group, version: row.version, kind: row.kind };
  const entries = Object.entries(named ? OBJECT : isQuestion(row) ? QUESTION : COLLECTION).map(
    ([method, action]): [string, JsonObject] => {
      const operationId = `${action}${apiVersionOf(row).replace(/[^A-Za-z0-9]/g, '')}${row.kind}`;
      const common: JsonObject = { operationId, 'x-kubernetes-action': action, 'x-kubernetes-group-version-kind': gvk };
      return [method, make(method, common)];
    },
  );
  return Object.fromEntries(entries);
}
