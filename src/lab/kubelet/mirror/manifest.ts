/**
 * A static pod: read from a file of the node, run by its kubelet alone, shown in the API by a mirror (Kubernetes "Create
 * static Pods"). Pure; loaded when there is a file, for it needs the tables of the API.
 */

import { createHash } from 'node:crypto';
import { parseAllDocuments } from 'yaml';
import { HASH, SEEN, SOURCE } from '#lab/kubelet/mirror/static-pod.ts';
import type { RunnablePod } from '#lab/kubelet/pod.ts';
import { MIRROR } from '#spec/k8s.ts';
import { POD } from '#spec/kinds/core/pod.ts';
import { apiReference } from '#spec/kinds/core/pod-references.ts';
import { ensureObject, isObject, type Json, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';
import { validateMeta } from '#spec/kinds/meta.ts';
import { decodeObject } from '#spec/kinds/schema/decode.ts';

/** A manifest that makes no pod; the message says why. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/** What a kubelet is known by to its static pods. */
export interface Place {
  readonly node: string;
  /** Of the file. */
  readonly path: string;
  /** When the file was first read, RFC 3339. */
  readonly seen: string;
}

/**
 * The pod as it runs: named for the node, complete by Kubernetes' defaults, with a uid that is the same for the same text.
 * @throws ManifestError
 */
export function readStaticPod(text: string, place: Place): RunnablePod {
  const pod = podIn(text);
  const unknown = decoded(pod);
  if (unknown.length > 0) throw new ManifestError(`unknown field ${JSON.stringify(unknown[0])}`);
  return named(pod, place);
}

function podIn(text: string): JsonObject {
  const documents = parseAllDocuments(text).filter((one) => one.contents !== null);
  const [document, ...others] = documents;
  if (document === undefined) throw new ManifestError('it is empty');
  if (others.length > 0) throw new ManifestError('it has several documents: a file is one pod');
  const [error] = document.errors;
  if (error !== undefined) throw new ManifestError(error.message.split('\n')[0] ?? 'it is no YAML');
  const value: Json = document.toJS();
  if (!isObject(value) || value.apiVersion !== 'v1' || value.kind !== 'Pod')
    throw new ManifestError('it is no Pod of apiVersion v1');
  return value;
}

function decoded(pod: JsonObject): string[] {
  try {
    return decodeObject(pod, POD.type);
  } catch (error) {
    throw new ManifestError(error instanceof Error ? error.message : String(error));
  }
}

function named(given: JsonObject, { node, path, seen }: Place): RunnablePod {
  const uid = createHash('md5')
    .update(JSON.stringify([node, path, given]))
    .digest('hex');
  const { labels, annotations, name, namespace } = ensureObject(given, 'metadata');
  if (typeof name !== 'string' || name === '') throw new ManifestError('metadata.name is missing');
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${node}`,
      namespace: namespace ?? 'default',
      uid,
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...(isObject(annotations) ? annotations : {}), [HASH]: uid, [SEEN]: seen, [SOURCE]: 'file' },
    },
    spec: ensureObject(given, 'spec'),
  };
  complete(pod, node);
  check(pod);
  // Checked against the tables that every pod of the API is checked against, and read as those are.
  return JSON.parse(JSON.stringify(pod));
}

/** It stays on its node whatever becomes of that. */
function complete(pod: KubeObject, node: string): void {
  POD.defaults?.(pod);
  const spec = ensureObject(pod, 'spec');
  spec.nodeName = node;
  spec.tolerations = [...objectsAt(spec, 'tolerations'), { operator: 'Exists', effect: 'NoExecute' }];
}

function check(pod: KubeObject): void {
  const [problem] = [...validateMeta(pod, POD), ...(POD.validate?.(pod) ?? [])];
  if (problem !== undefined) throw new ManifestError(`${problem.field}: ${problem.message}`);
  const reference = apiReference(pod);
  if (reference !== undefined)
    throw new ManifestError(
      `${reference}: a static pod cannot refer to objects of the API, which may be away when it starts`,
    );
  if (textAt(pod, 'metadata', 'annotations', MIRROR) !== '')
    throw new ManifestError(`metadata.annotations[${MIRROR}]: it is the kubelet's own`);
}
