/** JSON Patch, RFC 6902. */
import jsonPatch, { type Operation } from 'fast-json-patch';
import { badRequest, StatusError } from '#serve/api/http/status-error.ts';
import { copyJson, isObject, type Json } from '#spec/kinds/json.ts';

const OPERATIONS = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);
/** Kubernetes' limit on operations in one patch. */
const LIMIT = 10_000;

/**
 * The patched value; the target is not changed.
 * @throws StatusError 400 when the patch is malformed, 413 when it is too long, 422 when it does not apply
 */
export function applyJsonPatch(target: Json, patch: Json): Json {
  const operations = readOperations(patch);
  try {
    return jsonPatch.applyPatch(copyJson(target), operations, true, true, true).newDocument;
  } catch (error) {
    const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${text}`);
  }
}

function readOperations(patch: Json): Operation[] {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: it must be a list of operations');
  if (patch.length > LIMIT) {
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${LIMIT}, got ${patch.length}`,
    );
  }
  return patch.map((item, index) => {
    if (isOperation(item)) return item;
    throw badRequest(`error decoding patch: operation ${index} must have an op of RFC 6902 and a path`);
  });
}

function isOperation(item: Json): item is Operation & { [key: string]: Json } {
  return isObject(item) && typeof item.op === 'string' && OPERATIONS.has(item.op) && typeof item.path === 'string';
}
