/** The ways to patch, by media type. */
import { parseJson, requireObject } from '#serve/api/http/body.ts';
import { unsupportedMediaType } from '#serve/api/http/status-error.ts';
import { applyJsonPatch } from '#serve/api/patch/json.ts';
import { applyMergePatch } from '#serve/api/patch/merge.ts';
import { applyStrategicPatch } from '#serve/api/patch/strategic.ts';
import type { JsonObject } from '#spec/kinds/json.ts';

/** Of kinds with a place in the field tables only. */
const STRATEGIC = 'application/strategic-merge-patch+json';
const PATCH_TYPES = ['application/json-patch+json', 'application/merge-patch+json', STRATEGIC] as const;
/** Server-side apply, which is no change of an object but a claim on it (`verbs/apply.ts`). */
export const APPLY_TYPE = 'application/apply-patch+yaml';

/** What an object of a type may be patched with, apply aside. */
export function patchTypesOf(type: string): string[] {
  return PATCH_TYPES.filter((one) => type !== '' || one !== STRATEGIC);
}

export interface Patch {
  readonly apply: (target: JsonObject) => JsonObject;
  /** Keys that stand twice in its text. */
  readonly duplicates: readonly string[];
}

/**
 * Reads a patch once; the result applies it to an object, whose type in the field tables says how lists merge.
 * @throws StatusError 400 (malformed), 415 (another kind of patch)
 */
export function readPatch(text: string, mediaType: string, type: string): Patch {
  const allowed = patchTypesOf(type);
  if (!allowed.some((one) => one === mediaType)) throw unsupportedMediaType(mediaType, [...allowed, APPLY_TYPE]);
  const { value: patch, duplicates } = parseJson(text);
  switch (mediaType) {
    case 'application/json-patch+json':
      return { duplicates, apply: (target) => requireObject(applyJsonPatch(target, patch)) };
    case 'application/merge-patch+json': {
      const change = requireObject(patch);
      return { duplicates, apply: (target) => requireObject(applyMergePatch(target, change)) };
    }
    default: {
      const change = requireObject(patch);
      return { duplicates, apply: (target) => applyStrategicPatch(target, change, type) };
    }
  }
}
