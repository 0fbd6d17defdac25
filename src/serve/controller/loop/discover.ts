/** Which kinds the API serves, by its own word (Kubernetes "API concepts" §Discovery API). */

import type { ApiClient } from '#feed/client.ts';
import type { KubeObject, Resource } from '#spec/k8s.ts';

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs?: readonly string[];
}

interface GroupList {
  readonly groups?: readonly { readonly name: string; readonly preferredVersion: { readonly version: string } }[];
}

/** Every kind with all of these verbs, each in its group's preferred version. */
export async function servedKinds(client: ApiClient, verbs: readonly string[]): Promise<Resource<KubeObject>[]> {
  const { groups = [] } = await client.request<GroupList>('GET', '/apis');
  const versions = groups.map((g) => ({ group: g.name, version: g.preferredVersion.version }));
  const found = await Promise.all([{ group: '', version: 'v1' }, ...versions].map((gv) => kindsOf(client, gv, verbs)));
  return found.flat();
}

async function kindsOf(
  client: ApiClient,
  gv: { readonly group: string; readonly version: string },
  verbs: readonly string[],
): Promise<Resource<KubeObject>[]> {
  const path = gv.group === '' ? `/api/${gv.version}` : `/apis/${gv.group}/${gv.version}`;
  const { resources = [] } = await client.request<{ resources?: readonly ApiResource[] }>('GET', path);
  const whole = resources.filter((r) => !r.name.includes('/') && verbs.every((verb) => r.verbs?.includes(verb)));
  return whole.map((r) => ({ ...gv, kind: r.kind, plural: r.name, namespaced: r.namespaced }));
}
