/** An object from a client: checked against its field table, so that the rest may trust its shape. */
import type { ServerResponse } from 'node:http';
import type { ParsedBody } from '#serve/api/http/body.ts';
import { addWarning } from '#serve/api/http/respond.ts';
import { badRequest } from '#serve/api/http/status-error.ts';
import { warningsOf } from '#serve/api/rules/check.ts';
import type { WriteOptions } from '#serve/api/verbs/options.ts';
import { ensureObject, type JsonObject, textAt } from '#spec/kinds/json.ts';
import { apiVersionOf, type Kind, type KubeObject } from '#spec/kinds/kind.ts';
import { isKubeObject } from '#spec/kinds/meta.ts';
import { decodeObject, ShapeError } from '#spec/kinds/schema/decode.ts';

/** Fields of metadata that older servers kept and that are not stored. */
const NOT_STORED = ['selfLink'];

/**
 * Checks the object and drops what its kind does not know, or what it says twice, with a warning or, when asked, an error.
 * @throws StatusError 400
 */
export function readIncoming(
  { value: body, duplicates }: ParsedBody<JsonObject>,
  kind: Kind,
  options: WriteOptions,
  response: ServerResponse,
): KubeObject {
  checkKind(body, kind);
  if (kind.warning !== undefined) addWarning(response, kind.warning);
  body.apiVersion = apiVersionOf(kind);
  body.kind = kind.kind;
  ensureObject(body, 'metadata');
  const unknown = decodeOr400(body, kind).map((path) => `unknown field "${path}"`);
  report([...duplicates, ...unknown], kind, options, response);
  if (!isKubeObject(body)) throw badRequest('the object provided is unrecognized: it has no metadata');
  for (const key of NOT_STORED) delete body.metadata[key];
  for (const text of warningsOf(kind, body)) addWarning(response, text);
  return body;
}

function checkKind(body: JsonObject, kind: Kind): void {
  const [version, name] = [textAt(body, 'apiVersion'), textAt(body, 'kind')];
  const expected = apiVersionOf(kind);
  if (version !== '' && version !== expected) {
    throw badRequest(`the API version in the data (${version}) does not match the expected API version (${expected})`);
  }
  if (name !== '' && name !== kind.kind) {
    throw badRequest(`the kind in the data (${name}) does not match the expected kind (${kind.kind})`);
  }
}

function decodeOr400(body: JsonObject, kind: Kind): string[] {
  try {
    return kind.decode?.(body) ?? decodeObject(body, kind.type);
  } catch (error) {
    if (error instanceof ShapeError) throw badRequest(`${cannotHandle(kind)}: ${error.message}`);
    throw error;
  }
}

function cannotHandle(kind: Kind): string {
  return `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}`;
}

/** @throws StatusError 400 where that is asked for */
function report(said: readonly string[], kind: Kind, options: WriteOptions, response: ServerResponse): void {
  if (said.length === 0 || options.fieldValidation === 'Ignore') return;
  if (options.fieldValidation === 'Strict') {
    throw badRequest(`${cannotHandle(kind)}: strict decoding error: ${said.join(', ')}`);
  }
  for (const text of said) addWarning(response, text);
}

/** Fills in the namespace of the path and checks that the object agrees. @throws StatusError 400 */
export function placeIn(object: KubeObject, kind: Kind, namespace: string): void {
  if (!kind.namespaced) {
    delete object.metadata.namespace;
    return;
  }
  const said = textAt(object, 'metadata', 'namespace');
  if (said !== '' && said !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  }
  object.metadata.namespace = namespace;
}
