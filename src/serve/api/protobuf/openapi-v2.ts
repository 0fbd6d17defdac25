/**
 * A Swagger 2.0 document as protobuf (gnostic's OpenAPIv2.proto): kubectl up to 1.26, Debian 12's 1.20 among them, reads
 * the schemas that it validates manifests with in this form only.
 */
import { boolField, bytesField, message } from '#serve/api/protobuf/write.ts';
import { isObject, type Json, type JsonObject, objectAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';

/** What clients ask for; the `@` is not allowed in a media type, so the answer has a dot in its place, as Kubernetes' has. */
export const OPENAPI_V2_ASKED = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
export const OPENAPI_V2_SENT = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

type Encode = (value: JsonObject) => Uint8Array;

/** The document's bytes. */
export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  const info = objectAt(document, 'info');
  return message(
    bytesField(1, textAt(document, 'swagger')),
    bytesField(2, message(bytesField(1, textAt(info, 'title')), bytesField(2, textAt(info, 'version')))),
    bytesField(8, named(objectAt(document, 'paths'), 2, pathItem)),
    bytesField(9, named(objectAt(document, 'definitions'), 1, schema)),
  );
}

/** A map as a list of pairs (name 1, value 2), each in field `number`. */
function named(map: JsonObject, number: number, encode: Encode): Uint8Array {
  const pairs = Object.entries(map).map(([name, value]) => {
    const bytes = encode(isObject(value) ? value : {});
    return bytesField(number, message(bytesField(1, name), bytesField(2, bytes)));
  });
  return message(...pairs);
}

/** Numbers of the methods in PathItem. */
const METHODS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const;

function pathItem(value: JsonObject): Uint8Array {
  const fields = Object.entries(METHODS).map(([method, number]) => {
    const operationValue = value[method];
    return isObject(operationValue) ? bytesField(number, operation(operationValue)) : new Uint8Array();
  });
  return message(...fields);
}

function operation(value: JsonObject): Uint8Array {
  return message(
    bytesField(5, textAt(value, 'operationId')),
    ...textsAt(value, 'consumes').map((type) => bytesField(7, type)),
    ...objectsAt(value, 'parameters').map((one) => bytesField(8, bytesField(1, parameter(one)))),
    extensions(value, 13),
  );
}

/** A parameter in the body (1), or in the query (2, then 3). */
function parameter(value: JsonObject): Uint8Array {
  if (value.in === 'body') {
    return bytesField(
      1,
      message(
        bytesField(2, textAt(value, 'name')),
        bytesField(3, 'body'),
        boolField(4, true),
        bytesField(5, schema(objectAt(value, 'schema'))),
      ),
    );
  }
  const query = message(
    bytesField(2, 'query'),
    bytesField(4, textAt(value, 'name')),
    bytesField(6, textAt(value, 'type')),
  );
  return bytesField(2, bytesField(3, query));
}

function schema(value: JsonObject): Uint8Array {
  return message(
    bytesField(1, optional(value.$ref)),
    bytesField(2, optional(value.format)),
    bytesField(4, optional(value.description)),
    ...textsAt(value, 'required').map((name) => bytesField(19, name)),
    isObject(value.additionalProperties)
      ? bytesField(21, bytesField(1, schema(value.additionalProperties)))
      : new Uint8Array(),
    typeof value.type === 'string' ? bytesField(22, bytesField(1, value.type)) : new Uint8Array(),
    isObject(value.items) ? bytesField(23, bytesField(1, schema(value.items))) : new Uint8Array(),
    isObject(value.properties) ? bytesField(25, named(value.properties, 1, schema)) : new Uint8Array(),
    extensions(value, 31),
  );
}

function optional(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Vendor extensions (`x-…`): pairs of a name and YAML, which JSON is. */
function extensions(value: JsonObject, number: number): Uint8Array {
  const found = Object.entries(value).filter(([key]) => key.startsWith('x-'));
  return message(
    ...found.map(([key, json]) =>
      bytesField(number, message(bytesField(1, key), bytesField(2, bytesField(2, JSON.stringify(json))))),
    ),
  );
}
