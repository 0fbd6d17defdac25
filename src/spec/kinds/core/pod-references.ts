/** What of a pod needs an object of the API: a pod that no API server made (a static pod, its mirror) may have none of it. */
import { objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

const VOLUMES = ['secret', 'configMap', 'persistentVolumeClaim', 'projected', 'ephemeral'];
const REFERENCES = ['secretKeyRef', 'configMapKeyRef'];
const SOURCES = ['secretRef', 'configMapRef'];
const CONTAINERS = ['initContainers', 'containers', 'ephemeralContainers'];

/** Path of the first such field; undefined if there is none. */
export function apiReference(pod: KubeObject): string | undefined {
  if (textAt(pod, 'spec', 'serviceAccountName') !== '') return 'spec.serviceAccountName';
  if (objectsAt(pod, 'spec', 'imagePullSecrets').length > 0) return 'spec.imagePullSecrets';
  for (const [index, volume] of objectsAt(pod, 'spec', 'volumes').entries()) {
    const key = VOLUMES.find((one) => volume[one] !== undefined);
    if (key !== undefined) return `spec.volumes[${index}].${key}`;
  }
  return inContainers(pod);
}

function inContainers(pod: KubeObject): string | undefined {
  for (const list of CONTAINERS) {
    for (const [index, container] of objectsAt(pod, 'spec', list).entries()) {
      const path = `spec.${list}[${index}]`;
      const from = objectsAt(container, 'envFrom').findIndex((one) => SOURCES.some((key) => one[key] !== undefined));
      if (from >= 0) return `${path}.envFrom[${from}]`;
      const env = objectsAt(container, 'env').findIndex((one) =>
        REFERENCES.some((key) => objectAt(one, 'valueFrom')[key] !== undefined),
      );
      if (env >= 0) return `${path}.env[${env}].valueFrom`;
    }
  }
  return undefined;
}
