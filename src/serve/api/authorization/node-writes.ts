/**
 * What a node may write (Kubernetes "Admission Controllers" §NodeRestriction): itself, its lease, its CSINode, the status
 * of its pods, and tokens of theirs; of a pod itself only the annotations, where the CNI says what it got.
 */
import { type Api, type Call, keyOf } from '#serve/api/api.ts';
import { isNode, nodeOf } from '#serve/api/authorization/node.ts';
import { forbiddenTo } from '#serve/api/http/status-error.ts';
import { readAs, readStored } from '#serve/api/storage.ts';
import { MIRROR } from '#spec/k8s.ts';
import { apiReference } from '#spec/kinds/core/pod-references.ts';
import { at, type Json, type JsonObject, objectAt, objectsAt, sameJson, textAt } from '#spec/kinds/json.ts';
import { type KubeObject, resourceOf } from '#spec/kinds/kind.ts';

type Asked = Pick<Call, 'kind' | 'info' | 'user'>;

/** What is written, and what was there before. */
interface Write {
  readonly node: string;
  readonly call: Asked;
  readonly object: KubeObject | undefined;
  readonly old: KubeObject | undefined;
  /** Of the node's own object; '' if there is none. */
  readonly nodeUid: () => string;
}

/** Why the node may not; undefined if it may. */
type Restriction = (write: Write) => string | undefined;

const LEASES = 'kube-node-lease';
const RESTRICTED_LABEL = /(^|\.)node-restriction\.kubernetes\.io\//;

const RESTRICTIONS: Readonly<Record<string, Restriction>> = {
  nodes: ownNode,
  pods: ownPod,
  'pods/status': ownPodStatus,
  'pods/eviction': boundToNode,
  'leases.coordination.k8s.io': (write) =>
    write.call.info.namespace === LEASES
      ? ownName(write)
      : `can only access leases in the "${LEASES}" system namespace`,
  'csinodes.storage.k8s.io': ownName,
};

/**
 * Lets a node write what is its own, and all others whatever their roles say.
 * @param object undefined for a deletion; `old` for a creation
 * @throws StatusError 403
 */
export function restrictNode(api: Api, call: Asked, object: KubeObject | undefined, old: KubeObject | undefined): void {
  if (!isNode(call.user)) return;
  const { kind, info } = call;
  const name = object?.metadata.name ?? info.name;
  const node = nodeOf(call.user);
  if (node === undefined)
    throw forbiddenTo(kind, name, `could not determine node from user ${JSON.stringify(call.user.name)}`);
  const plain = resourceOf(kind) === 'nodes' || info.subresource === '';
  const key = plain ? resourceOf(kind) : `${resourceOf(kind)}/${info.subresource}`;
  const why = RESTRICTIONS[key]?.({ node, call, object, old, nodeUid: () => uidOf(api, node) });
  if (why !== undefined) throw forbiddenTo(kind, name, why);
}

/** The same for what is there and is deleted or evicted. @throws StatusError 403 */
export function restrictNodeOn(api: Api, call: Asked): void {
  if (!isNode(call.user)) return;
  const stored = api.store.get(keyOf(call.kind, call.info.namespace, call.info.name));
  if (stored !== undefined) restrictNode(api, call, undefined, readAs(call.kind, stored));
}

/** A token of a ServiceAccount is for a pod of the node that runs as it. @throws StatusError 403 */
export function restrictToken(api: Api, call: Asked, request: JsonObject): void {
  const node = nodeOf(call.user);
  if (!isNode(call.user)) return;
  const bound = objectAt(request, 'spec', 'boundObjectRef');
  const refuse = (why: string) => forbiddenTo(call.kind, call.info.name, why);
  if (textAt(bound, 'kind') !== 'Pod' || textAt(bound, 'uid') === '')
    throw refuse('node requested token not bound to a pod');
  const key = { resource: 'pods', namespace: call.info.namespace, name: textAt(bound, 'name') };
  const stored = api.store.get(key);
  const pod = stored === undefined ? {} : readAs(call.kind, stored);
  const fits =
    textAt(pod, 'metadata', 'uid') === textAt(bound, 'uid') &&
    textAt(pod, 'spec', 'nodeName') === node &&
    textAt(pod, 'spec', 'serviceAccountName') === call.info.name;
  if (!fits) throw refuse('node requested token bound to a pod scheduled on a different node, or of another account');
}

function uidOf(api: Api, node: string): string {
  const stored = api.store.get({ resource: 'nodes', namespace: '', name: node });
  return stored === undefined ? '' : textAt(readStored(stored), 'metadata', 'uid');
}

function ownName({ node, call, object }: Write): string | undefined {
  const name = object?.metadata.name ?? call.info.name;
  return name === node ? undefined : `node ${JSON.stringify(node)} is not allowed to modify ${JSON.stringify(name)}`;
}

function ownNode(write: Write): string | undefined {
  const { node, call, object, old } = write;
  const name = object?.metadata.name ?? call.info.name;
  if (name !== node) return `node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`;
  if (object === undefined || old === undefined) return restrictedLabel(object, old, node);
  for (const [what, path] of [
    ['taints', ['spec', 'taints']],
    ['owner references', ['metadata', 'ownerReferences']],
  ] as const)
    if (!sameJson(at(object, ...path), at(old, ...path)))
      return `node ${JSON.stringify(node)} is not allowed to modify ${what}`;
  return restrictedLabel(object, old, node);
}

/** Labels of this domain are the administrator's, for pods that must not come to a node that lies. */
function restrictedLabel(
  object: KubeObject | undefined,
  old: KubeObject | undefined,
  node: string,
): string | undefined {
  const [after, before] = [object, old].map((one) => objectAt(one, 'metadata', 'labels'));
  const key = Object.keys({ ...after, ...before }).find(
    (one) => RESTRICTED_LABEL.test(one) && !sameJson(after?.[one], before?.[one]),
  );
  return key === undefined
    ? undefined
    : `node ${JSON.stringify(node)} is not allowed to set the following labels: ${key}`;
}

function boundToNode({ node, old }: Write): string | undefined {
  return textAt(old, 'spec', 'nodeName') === node
    ? undefined
    : `node ${JSON.stringify(node)} can only act on pods with spec.nodeName set to itself`;
}

function ownPod(write: Write): string | undefined {
  const { object, old } = write;
  if (object === undefined) return boundToNode(write);
  if (old === undefined) return mirrorPod(object, write.node, write.nodeUid);
  const why = boundToNode(write);
  if (why !== undefined) return why;
  return sameJson(withoutAnnotations(object), withoutAnnotations(old))
    ? undefined
    : 'a node may change nothing of a pod but its annotations and its status';
}

/** Fields of metadata that every writer may leave out. */
const OWNED = ['annotations', 'managedFields', 'resourceVersion', 'generation'];

function withoutAnnotations(pod: KubeObject): Json {
  const metadata = Object.fromEntries(Object.entries(pod.metadata).filter(([key]) => !OWNED.includes(key)));
  return { ...pod, metadata };
}

/** The pod of a file on the node, shown in the API; it may lead to nothing that the node could not read before. */
function mirrorPod(pod: KubeObject, node: string, nodeUid: Write['nodeUid']): string | undefined {
  if (at(pod, 'metadata', 'annotations', MIRROR) === undefined)
    return `pod does not have ${JSON.stringify(MIRROR)} annotation, node ${JSON.stringify(node)} can only create mirror pods`;
  if (textAt(pod, 'spec', 'nodeName') !== node)
    return `node ${JSON.stringify(node)} can only create pods with spec.nodeName set to itself`;
  const reference = apiReference(pod);
  if (reference !== undefined)
    return `node ${JSON.stringify(node)} can not create pods that reference objects of the API: ${reference}`;
  return ownedByNode(pod, node, nodeUid);
}

/** So that the mirror goes with the Node. */
function ownedByNode(pod: KubeObject, node: string, nodeUid: Write['nodeUid']): string | undefined {
  const [owner, ...others] = objectsAt(pod, 'metadata', 'ownerReferences');
  const only = `node ${JSON.stringify(node)} can only create pods with`;
  if (others.length > 0) return `${only} a single owner reference set to itself`;
  if (owner === undefined || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `${only} an owner reference set to itself`;
  if (owner.controller !== true) return `${only} a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion === true)
    return `node ${JSON.stringify(node)} must not set blockOwnerDeletion on an owner reference`;
  const uid = nodeUid();
  return owner.uid === uid ? undefined : `node ${node} UID mismatch: expected ${textAt(owner, 'uid')} got ${uid}`;
}

function ownPodStatus(write: Write): string | undefined {
  const { object, old, node } = write;
  const why = boundToNode(write);
  if (why !== undefined) return why;
  return sameJson(at(object, 'metadata', 'labels'), at(old, 'metadata', 'labels'))
    ? undefined
    : `node ${JSON.stringify(node)} cannot update labels through pod status`;
}
