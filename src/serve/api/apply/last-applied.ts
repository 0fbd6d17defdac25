/** Where client-side and server-side apply of kubectl meet: the annotation in which the former remembers what it applied. */
import type { ApplyOptions } from '#serve/api/apply/apply.ts';
import { compare, fieldsIn } from '#serve/api/apply/compare.ts';
import { difference, type FieldSet, union } from '#serve/api/apply/field-set.ts';
import type { Writer } from '#serve/api/apply/managed.ts';
import { bare } from '#serve/api/apply/track.ts';
import { ensureObject, isObject, type Json, type JsonObject, textAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
/** The manager whose two ways of applying are one user's. */
const KUBECTL = 'kubectl';
/** An object's annotations may not be larger than this; the annotation then goes. */
const LONGEST = 256 * 1024;

/** Places that kubectl applied by itself and that have stayed so: taking them over is no conflict. */
export function takeableOf(live: KubeObject | undefined, { writer, structure }: ApplyOptions): FieldSet | undefined {
  if (writer.manager !== KUBECTL || live === undefined) return undefined;
  const last = parsed(textAt(live, 'metadata', 'annotations', ANNOTATION));
  if (last === undefined) return undefined;
  const { added, modified, removed } = compare(bare(live), last, structure);
  return difference(fieldsIn(last, structure), union(union(added, modified), removed));
}

function parsed(text: string): JsonObject | undefined {
  if (text === '') return undefined;
  try {
    const value: Json = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps the annotation of an object that has one true, so that client-side apply may be used again. */
export function setLastApplied(
  object: KubeObject,
  live: KubeObject | undefined,
  config: KubeObject,
  writer: Writer,
): void {
  if (writer.manager !== KUBECTL || textAt(live, 'metadata', 'annotations', ANNOTATION) === '') return;
  const { [ANNOTATION]: _, ...annotations } = isObject(config.metadata.annotations) ? config.metadata.annotations : {};
  const bareConfig = { ...config, metadata: { ...config.metadata, annotations } };
  const text = `${JSON.stringify(bareConfig)}\n`;
  const kept = { ...ensureObject(object.metadata, 'annotations') };
  if (text.length > LONGEST) delete kept[ANNOTATION];
  else kept[ANNOTATION] = text;
  object.metadata.annotations = kept;
}
