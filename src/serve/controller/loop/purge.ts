/** Empties a namespace that is being deleted: everything of every kind that the API serves. */

import { isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import { servedKinds } from '#serve/controller/loop/discover.ts';
import { type KubeObject, NAMESPACES, type Resource } from '#spec/k8s.ts';

/** How soon to look again at a namespace whose objects (pods, mostly) need time to end, ms. */
const AGAIN_MS = 250;

/**
 * Asks for the deletion of what is left; once nothing is, takes the finalizer away, and the API deletes the namespace.
 * Answers when to ask again, if that is needed.
 */
export async function purge(client: ApiClient, namespace: KubeObject): Promise<{ againMs?: number }> {
  const name = namespace.metadata.name ?? '';
  const left = await Promise.all((await deletable(client)).map((resource) => purgeKind(client, resource, name)));
  if (left.some((count) => count > 0)) return { againMs: AGAIN_MS };
  await finalize(client, name);
  return {};
}

async function purgeKind(client: ApiClient, resource: Resource<KubeObject>, namespace: string): Promise<number> {
  const { items } = await client.list(resource, { namespace });
  const fresh = items.filter((item) => item.metadata.deletionTimestamp === undefined);
  for (const { metadata } of fresh) {
    const uid = metadata.uid === undefined ? {} : { uid: metadata.uid };
    await client
      .delete(resource, { namespace, name: metadata.name ?? '' }, { propagationPolicy: 'Background', ...uid })
      .catch(ignoreNotFound);
  }
  return items.length;
}

/** Every namespaced kind that can be listed and deleted. */
async function deletable(client: ApiClient): Promise<Resource<KubeObject>[]> {
  return (await servedKinds(client, ['list', 'delete'])).filter(({ namespaced }) => namespaced);
}

async function finalize(client: ApiClient, name: string): Promise<void> {
  const current = await client.find(NAMESPACES, { name });
  if (current === undefined) return;
  const finalizers = (current.spec?.finalizers ?? []).filter((finalizer) => finalizer !== 'kubernetes');
  await client
    .update(NAMESPACES, { ...current, spec: { ...current.spec, finalizers } }, 'finalize')
    .catch(ignoreNotFound);
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
