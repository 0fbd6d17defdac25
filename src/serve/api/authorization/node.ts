/**
 * What a node may read by its pods (Kubernetes "Using Node Authorization"): Secrets, ConfigMaps, claims and volumes that one
 * of them names, and tokens of their ServiceAccounts; beside that the Polder agent's own settings and the passwords of
 * BGP peers. Never a list of all.
 */
import type { Attributes, ResourceAttributes } from '#serve/api/authorization/attributes.ts';
import type { User } from '#serve/api/pki/tokens.ts';
import { readStored } from '#serve/api/storage.ts';
import type { Store } from '#serve/api/store/store.ts';
import { CONFIG_MAP } from '#spec/config.ts';
import { at, type JsonObject, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

const GROUP = 'system:nodes';
const PREFIX = 'system:node:';

/** Whether the user is a node, whatever its name. */
export function isNode(user: User): boolean {
  return user.groups.includes(GROUP);
}

/** The name of the node that the user is; undefined if it is none, or none with a name. */
export function nodeOf(user: User): string | undefined {
  return isNode(user) && user.name.startsWith(PREFIX) ? user.name.slice(PREFIX.length) : undefined;
}

/** Whether the node may because of what its pods name; who else may is for the roles to say. */
export function nodeAllows(store: Store, node: string, wanted: Attributes): boolean {
  if (wanted.kind !== 'resource' || wanted.group !== '' || wanted.name === '') return false;
  const { verb, resource, subresource } = wanted;
  if (resource === 'serviceaccounts' && subresource === 'token')
    return verb === 'create' && podsOf(store, node, wanted.namespace).some((pod) => accountOf(pod) === wanted.name);
  const read = READS[resource];
  return subresource === '' && read !== undefined && read.verbs.includes(verb) && read.allowed(store, node, wanted);
}

interface Read {
  readonly verbs: readonly string[];
  readonly allowed: (store: Store, node: string, wanted: ResourceAttributes) => boolean;
}

/** A list or watch is of one object by its name. */
const FOLLOW = ['get', 'list', 'watch'];

const READS: Readonly<Record<string, Read>> = {
  secrets: {
    verbs: FOLLOW,
    allowed: (store, node, wanted) => names(store, node, wanted, secretsOf) || isPeerPassword(store, wanted),
  },
  configmaps: {
    verbs: FOLLOW,
    allowed: (store, node, wanted) => isSettings(wanted) || names(store, node, wanted, configMapsOf),
  },
  persistentvolumeclaims: { verbs: ['get'], allowed: (store, node, wanted) => names(store, node, wanted, claimsOf) },
  persistentvolumes: { verbs: ['get'], allowed: (store, node, { name }) => volumesOf(store, node).includes(name) },
  serviceaccounts: {
    verbs: ['get'],
    allowed: (store, node, { namespace, name }) =>
      podsOf(store, node, namespace).some((pod) => accountOf(pod) === name),
  },
};

function names(
  store: Store,
  node: string,
  { namespace, name }: ResourceAttributes,
  namedBy: (pod: KubeObject) => readonly string[],
): boolean {
  return podsOf(store, node, namespace).some((pod) => namedBy(pod).includes(name));
}

/** Pods that are bound to the node; '' for those of all namespaces. */
function podsOf(store: Store, node: string, namespace: string): KubeObject[] {
  return store
    .list('pods')
    .filter((one) => one.fields['spec.nodeName'] === node && (namespace === '' || one.namespace === namespace))
    .map(readStored);
}

function accountOf(pod: KubeObject): string {
  return textAt(pod, 'spec', 'serviceAccountName') || 'default';
}

function containersOf(pod: KubeObject): JsonObject[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) => objectsAt(pod, 'spec', list));
}

/** Objects of a pod's environment and files, by the key that names them. */
function referred(pod: KubeObject, inEnv: string, inEnvFrom: string): string[] {
  return containersOf(pod).flatMap((container) => [
    ...objectsAt(container, 'env').map((one) => textAt(one, 'valueFrom', inEnv, 'name')),
    ...objectsAt(container, 'envFrom').map((one) => textAt(one, inEnvFrom, 'name')),
  ]);
}

function volumesIn(pod: KubeObject): JsonObject[] {
  return objectsAt(pod, 'spec', 'volumes');
}

function projected(pod: KubeObject, key: string): string[] {
  return volumesIn(pod).flatMap((volume) =>
    objectsAt(volume, 'projected', 'sources').map((source) => textAt(source, key, 'name')),
  );
}

/** Keys under which kinds of volumes name a Secret. */
const SECRET_REFERENCES = ['secretRef', 'nodePublishSecretRef'];

function secretsOf(pod: KubeObject): string[] {
  const ofVolumes = volumesIn(pod).flatMap((volume) =>
    Object.values(volume).flatMap((source) => [
      textAt(source, 'secretName'),
      ...SECRET_REFERENCES.map((key) => textAt(source, key, 'name')),
    ]),
  );
  const ofImages = objectsAt(pod, 'spec', 'imagePullSecrets').map((one) => textAt(one, 'name'));
  return [...referred(pod, 'secretKeyRef', 'secretRef'), ...projected(pod, 'secret'), ...ofVolumes, ...ofImages];
}

function configMapsOf(pod: KubeObject): string[] {
  const ofVolumes = volumesIn(pod).map((volume) => textAt(volume, 'configMap', 'name'));
  return [...referred(pod, 'configMapKeyRef', 'configMapRef'), ...projected(pod, 'configMap'), ...ofVolumes];
}

function claimsOf(pod: KubeObject): string[] {
  return volumesIn(pod).map((volume) =>
    at(volume, 'ephemeral') === undefined
      ? textAt(volume, 'persistentVolumeClaim', 'claimName')
      : `${pod.metadata.name}-${textAt(volume, 'name')}`,
  );
}

/** Volumes that are bound to claims of the node's pods. */
function volumesOf(store: Store, node: string): string[] {
  return podsOf(store, node, '').flatMap((pod) =>
    claimsOf(pod).flatMap((name) => {
      const namespace = textAt(pod, 'metadata', 'namespace');
      const claim = store.get({ resource: 'persistentvolumeclaims', namespace, name });
      return claim === undefined ? [] : [textAt(readStored(claim), 'spec', 'volumeName')];
    }),
  );
}

/** What the agent of every node is set by. */
function isSettings({ namespace, name }: ResourceAttributes): boolean {
  return namespace === CONFIG_MAP.namespace && name === CONFIG_MAP.name;
}

const BGP = ['bgppeers', 'bgpconfigurations'].flatMap((plural) =>
  ['crd.projectcalico.org', 'projectcalico.org'].map((group) => `${plural}.${group}`),
);

/** BGP peers and the mesh name their passwords in Secrets beside the settings. */
function isPeerPassword(store: Store, { namespace, name }: ResourceAttributes): boolean {
  if (namespace !== CONFIG_MAP.namespace) return false;
  return BGP.some((resource) =>
    store.list(resource).some((stored) => {
      const spec = objectAt(readStored(stored), 'spec');
      return [spec.password, spec.nodeMeshPassword].some((one) => textAt(one, 'secretKeyRef', 'name') === name);
    }),
  );
}
