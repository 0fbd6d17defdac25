/** The ways to patch, by media type. */
import { parseJson, requireObject } from '#serve/api/http/body.ts';
import { unsupportedMediaType } from '#serve/api/http/status-error.ts';
import { applyJsonPatch } from '#serve/api/patch/json.ts';
import { applyMergePatch } from '#serve/api/patch/merge.ts';
import { applyStrategicPatch } from '#serve/api/patch/strategic.ts';
import type { Json, JsonObject } from '#spec/kinds/json.ts';

/** Of kinds with a place in the field tables only. */
const STRATEGIC = 'application/strategic-merge-patch+json';
const PATCH_TYPES = ['application/json-patch+json', 'application/merge-patch+json', STRATEGIC] as const;
/** Server-side apply, which is no change of an object but a claim on it (`verbs/apply.ts`). */
export const APPLY_TYPE = 'application/apply-patch+yaml';

/** What an object of a type may be patched with, apply aside. */
export function patchTypesOf(type: string): string[] {
  return PATCH_TYPES.filter((one) => type !== '' || one !== STRATEGIC);
}

/**
 * Reads a patch once; the result applies it to an object, whose type in the field tables says how lists merge.
 * @throws StatusError 400 (malformed), 415 (another kind of patch)
 */
export function readPatch(text: string, mediaType: string, type: string): (target: JsonObject) => JsonObject {
  const allowed = patchTypesOf(type);
  if (!allowed.some((one) => one === mediaType)) throw unsupportedMediaType(mediaType, [...allowed, APPLY_TYPE]);
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
