/** Carries out one write, and lets the stores see at once what it did. */

import { isAlreadyExists, isNotFound } from '#feed/api-error.ts';
import { type ApiClient, isStatus } from '#feed/client.ts';
import type { Store } from '#feed/store.ts';
import { purge } from '#serve/controller/loop/purge.ts';
import type { Outcome } from '#serve/controller/loop/runner.ts';
import type { IfGone, Notice, Write } from '#serve/controller/write.ts';
import { type KubeObject, type ObjectKey, PODS, type Resource } from '#spec/k8s.ts';

export interface ExecutorDeps {
  readonly client: ApiClient;
  /** Undefined for a kind that is not watched. */
  storeOf<T extends KubeObject>(resource: Resource<T>): Store<T> | undefined;
  readonly tell: (notice: Notice) => void;
}

/** @throws ApiError, ApiUnreachable as the client does. */
export async function execute(deps: ExecutorDeps, write: Write): Promise<Outcome> {
  switch (write.verb) {
    case 'create':
      tellOf(deps, write.notice, observe(deps, write.resource, await deps.client.create(write.resource, write.object)));
      return {};
    case 'ensure':
      await ensure(deps, write.resource, write.object);
      return {};
    case 'patch':
      await patch(deps, write);
      return {};
    case 'delete':
      await remove(deps, write);
      return {};
    case 'bind':
      await bind(deps, write);
      return {};
    case 'notice':
      deps.tell(write.notice);
      return {};
    case 'purge':
      return purge(deps.client, write.namespace);
  }
}

function observe(deps: ExecutorDeps, resource: Resource<KubeObject>, object: KubeObject): KubeObject {
  deps.storeOf(resource)?.observe(object);
  return object;
}

function tellOf(deps: ExecutorDeps, notice: Notice | undefined, object: KubeObject): void {
  if (notice !== undefined)
    deps.tell({ ...notice, message: notice.message.replaceAll('{name}', object.metadata.name ?? '') });
}

async function ensure(deps: ExecutorDeps, resource: Resource<KubeObject>, object: KubeObject): Promise<void> {
  try {
    observe(deps, resource, await deps.client.create(resource, object));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

async function isThere({ client }: ExecutorDeps, ifGone: IfGone | undefined): Promise<boolean> {
  if (ifGone === undefined) return false;
  const { resource, key, uid } = ifGone;
  const found = await client.find(resource, key);
  return found !== undefined && (uid === undefined || found.metadata.uid === uid);
}

async function patch(deps: ExecutorDeps, write: Write & { verb: 'patch' }): Promise<void> {
  if (await isThere(deps, write.ifGone)) return;
  const { uid, resourceVersion } = write.base.metadata;
  const body = { ...write.patch, metadata: { ...write.patch.metadata, uid, resourceVersion } };
  const options = write.subresource === undefined ? {} : { subresource: write.subresource };
  observe(deps, write.resource, await deps.client.patch(write.resource, keyOfObject(write.base), body, options));
}

async function remove(deps: ExecutorDeps, write: Write & { verb: 'delete' }): Promise<void> {
  if (await isThere(deps, write.ifGone)) return;
  const { uid, resourceVersion } = write.object.metadata;
  const { gracePeriodSeconds, propagationPolicy } = write;
  const answer = await deps.client.delete(write.resource, keyOfObject(write.object), {
    ...(uid === undefined ? {} : { uid }),
    ...(write.ifUnchanged && resourceVersion !== undefined ? { resourceVersion } : {}),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
  });
  if (!isStatus(answer) && answer.metadata.deletionTimestamp !== undefined) observe(deps, write.resource, answer);
  tellOf(deps, write.notice, write.object);
}

/** The answer to a binding shows no pod, so the store takes it that the pod is bound until the watch says so. */
async function bind(deps: ExecutorDeps, { pod, node, notice }: Write & { verb: 'bind' }): Promise<void> {
  const { namespace, name = '', uid } = pod.metadata;
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) };
  const binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata,
    target: { apiVersion: 'v1', kind: 'Node', name: node },
  };
  try {
    await deps.client.create<KubeObject>(PODS, binding, 'binding');
  } catch (error) {
    // Deleted meanwhile: there is nothing left to bind.
    if (isNotFound(error)) return;
    throw error;
  }
  deps.storeOf(PODS)?.assume(pod, { ...pod, spec: { ...pod.spec, nodeName: node } });
  deps.tell(notice);
}

function keyOfObject({ metadata: { namespace, name = '' } }: KubeObject): ObjectKey {
  return namespace === undefined ? { name } : { namespace, name };
}
