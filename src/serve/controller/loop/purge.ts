/** Empties a namespace that is being deleted: everything of every kind that the API serves. */

import { isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import { type KubeObject, NAMESPACES, type Resource } from '#spec/k8s.ts';

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs?: readonly string[];
}

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

/** Every namespaced kind that can be listed and deleted, each in its group's preferred version. */
async function deletable(client: ApiClient): Promise<Resource<KubeObject>[]> {
  const groups = await client.request<{ groups?: { name: string; preferredVersion: { version: string } }[] }>(
    'GET',
    '/apis',
  );
  const versions = (groups.groups ?? []).map((g) => ({ group: g.name, version: g.preferredVersion.version }));
  const found = await Promise.all([{ group: '', version: 'v1' }, ...versions].map((gv) => kindsOf(client, gv)));
  return found.flat();
}

async function kindsOf(client: ApiClient, gv: { group: string; version: string }): Promise<Resource<KubeObject>[]> {
  const path = gv.group === '' ? `/api/${gv.version}` : `/apis/${gv.group}/${gv.version}`;
  const { resources = [] } = await client.request<{ resources?: ApiResource[] }>('GET', path);
  const whole = resources.filter((r) => r.namespaced && !r.name.includes('/') && can(r, 'list') && can(r, 'delete'));
  return whole.map((r) => ({ ...gv, kind: r.kind, plural: r.name, namespaced: true }));
}

function can(resource: ApiResource, verb: string): boolean {
  return resource.verbs?.includes(verb) === true;
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
