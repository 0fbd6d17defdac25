/** The kind Pod. */
import { MIRROR } from '#spec/k8s.ts';
import { POD_COLUMNS } from '#spec/kinds/columns/pod.ts';
import { admitPod } from '#spec/kinds/core/pod-admit.ts';
import { defaultPodSpec } from '#spec/kinds/core/pod-defaults.ts';
import { validatePodSpec } from '#spec/kinds/core/pod-validate.ts';
import {
  at,
  copyJson,
  ensureObject,
  isObject,
  type JsonObject,
  listAt,
  objectAt,
  objectsAt,
  sameJson,
  setDefault,
  textAt,
} from '#spec/kinds/json.ts';
import { type FieldError, forbidden, invalid, type Kind, type KubeObject } from '#spec/kinds/kind.ts';

const STREAM = ['create', 'get'];

export const POD: Kind = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  type: 'V1Pod',
  names: 'subdomain',
  status: true,
  subresources: [
    { name: 'attach', verbs: STREAM, kind: 'PodAttachOptions' },
    { name: 'binding', verbs: ['create'], kind: 'Binding' },
    { name: 'ephemeralcontainers', verbs: ['get', 'patch', 'update'], kind: 'Pod' },
    { name: 'eviction', verbs: ['create'], kind: 'Eviction', group: 'policy', version: 'v1' },
    { name: 'exec', verbs: STREAM, kind: 'PodExecOptions' },
    { name: 'log', verbs: ['get'], kind: 'Pod' },
    { name: 'portforward', verbs: STREAM, kind: 'PodPortForwardOptions' },
  ],
  columns: POD_COLUMNS,
  fields: {
    'spec.nodeName': (pod) => textAt(pod, 'spec', 'nodeName'),
    'spec.restartPolicy': (pod) => textAt(pod, 'spec', 'restartPolicy'),
    'spec.schedulerName': (pod) => textAt(pod, 'spec', 'schedulerName'),
    'spec.serviceAccountName': (pod) => textAt(pod, 'spec', 'serviceAccountName'),
    'spec.hostNetwork': (pod) => (objectAt(pod, 'spec').hostNetwork === true ? 'true' : 'false'),
    'status.phase': (pod) => textAt(pod, 'status', 'phase'),
    'status.podIP': (pod) => textAt(pod, 'status', 'podIP'),
    'status.nominatedNodeName': (pod) => textAt(pod, 'status', 'nominatedNodeName'),
  },
  defaults: (pod) => {
    const spec = ensureObject(pod, 'spec');
    defaultPodSpec(spec);
    setDefault(spec, 'enableServiceLinks', true);
  },
  admit: admitPod,
  prepareCreate: prepareCreate,
  validate: (pod) => [...validatePodSpec(objectAt(pod, 'spec'), 'spec'), ...validateMirror(pod)],
  validateUpdate: validateUpdate,
  grace: gracePeriod,
};

/** A mirror shows what a node runs anyway. */
function validateMirror(pod: KubeObject): readonly FieldError[] {
  const mirror = at(pod, 'metadata', 'annotations', MIRROR);
  return mirror === undefined || textAt(pod, 'spec', 'nodeName') !== ''
    ? []
    : [invalid(`metadata.annotations[${MIRROR}]`, mirror, 'must set spec.nodeName if mirror pod annotation is set')];
}

function prepareCreate(pod: KubeObject): readonly FieldError[] {
  const spec = ensureObject(pod, 'spec');
  pod.status = { phase: 'Pending', qosClass: qosClassOf(spec) };
  return [];
}

/** Kubernetes "Pod Quality of Service Classes". */
function qosClassOf(spec: JsonObject): string {
  const all = [...objectsAt(spec, 'initContainers'), ...objectsAt(spec, 'containers')].map((one) =>
    objectAt(one, 'resources'),
  );
  const isEmpty = (part: JsonObject) => part.cpu === undefined && part.memory === undefined;
  if (all.every((one) => isEmpty(objectAt(one, 'limits')) && isEmpty(objectAt(one, 'requests')))) return 'BestEffort';
  const guaranteed = all.every((one) => {
    const [limits, requests] = [objectAt(one, 'limits'), objectAt(one, 'requests')];
    return ['cpu', 'memory'].every(
      (name) => limits[name] !== undefined && sameJson(limits[name], requests[name] ?? limits[name]),
    );
  });
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

const CHANGEABLE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
  '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function validateUpdate(pod: KubeObject, old: KubeObject): readonly FieldError[] {
  const [mirror, was] = [pod, old].map((one) => at(one, 'metadata', 'annotations', MIRROR));
  if (mirror !== was) return [invalid(`metadata.annotations[${MIRROR}]`, mirror ?? null, 'field is immutable')];
  const allowed = copyJson(objectAt(old, 'spec'));
  const spec = objectAt(pod, 'spec');
  takeImages(allowed, spec);
  for (const key of ['activeDeadlineSeconds', 'tolerations']) {
    if (spec[key] === undefined) delete allowed[key];
    else allowed[key] = spec[key];
  }
  if (!sameJson(allowed, spec)) return [forbidden('spec', CHANGEABLE)];
  const kept = listAt(old, 'spec', 'tolerations').every((one) =>
    listAt(spec, 'tolerations').some((two) => sameJson(one, two)),
  );
  return kept
    ? []
    : [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

function takeImages(into: JsonObject, from: JsonObject): void {
  for (const list of ['containers', 'initContainers']) {
    const images = new Map(objectsAt(from, list).map((one) => [textAt(one, 'name'), one.image]));
    for (const one of objectsAt(into, list)) {
      const image = images.get(textAt(one, 'name'));
      if (image !== undefined) one.image = image;
    }
  }
}

/** A pod that no kubelet runs, or that has ended, goes at once (Kubernetes "Pod Lifecycle" §Termination of Pods). */
function gracePeriod(pod: KubeObject, asked: number | undefined): number {
  const phase = textAt(pod, 'status', 'phase');
  if (textAt(pod, 'spec', 'nodeName') === '' || phase === 'Failed' || phase === 'Succeeded') return 0;
  const own = isObject(pod.spec) ? pod.spec.terminationGracePeriodSeconds : undefined;
  return asked ?? (typeof own === 'number' ? own : 30);
}
