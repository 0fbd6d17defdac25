/** The ways to patch, by media type. */
import { parseJson, requireObject } from '#serve/api/http/body.ts';
import { unsupportedMediaType } from '#serve/api/http/status-error.ts';
import { applyJsonPatch } from '#serve/api/patch/json.ts';
import { applyMergePatch } from '#serve/api/patch/merge.ts';
import { applyStrategicPatch } from '#serve/api/patch/strategic.ts';
import type { Json, JsonObject } from '#spec/kinds/json.ts';

export const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
] as const;
/** Server-side apply, which is no change of an object but a claim on it (`verbs/apply.ts`). */
export const APPLY_TYPE = 'application/apply-patch+yaml';

/**
 * Reads a patch once; the result applies it to an object, whose type in the field tables says how lists merge.
 * @throws StatusError 400 (malformed), 415 (another kind of patch)
 */
export function readPatch(text: string, mediaType: string, type: string): (target: JsonObject) => JsonObject {
  if (!PATCH_TYPES.some((one) => one === mediaType))
    throw unsupportedMediaType(mediaType, [...PATCH_TYPES, APPLY_TYPE]);
  const patch = parseJson(text);
  switch (mediaType) {
    case 'application/json-patch+json':
      return (target) => requireObject(applyJsonPatch(target, patch));
    case 'application/merge-patch+json':
      return (target) => requireObject(applyMergePatch(target, requireObject(patch)));
    default:
      return strategic(requireObject(patch), type);
  }
}

function strategic(patch: JsonObject, type: string): (target: JsonObject) => JsonObject {
  return (target: Json) => applyStrategicPatch(requireObject(target), patch, type);
}
