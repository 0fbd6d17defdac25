/** An object's metadata alone (meta.k8s.io PartialObjectMetadata). */
import type { JsonObject } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

export function partialMetadata(object: KubeObject, version: string): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
