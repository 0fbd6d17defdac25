/** What the server serves, as clients discover it: the legacy documents and the aggregated ones. */
import type { Kinds } from '#serve/api/kinds.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { apiVersionOf, type Kind, type Subresource } from '#spec/kinds/kind.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const STATUS_VERBS = ['get', 'patch', 'update'];

/** `/`: all paths that lead somewhere. */
export function rootPaths(kinds: Kinds): JsonObject {
  const groups = [...kinds.groups()].filter(([group]) => group !== '');
  const served = groups.flatMap(([group, versions]) => [
    `/apis/${group}`,
    ...versions.map((version) => `/apis/${group}/${version}`),
  ]);
  const others = ['/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'];
  return { paths: ['/api', '/api/v1', '/apis', ...served.toSorted(), ...others] };
}

/** `/api` */
export function apiVersions(serverAddress: string): JsonObject {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `/apis` */
export function apiGroupList(kinds: Kinds): JsonObject {
  const groups = [...kinds.groups().keys()].filter((group) => group !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((group) => groupEntry(kinds, group)) };
}

/** `/apis/<group>`, undefined when there is no such group. */
export function apiGroup(kinds: Kinds, group: string): JsonObject | undefined {
  if (!kinds.groups().has(group)) return undefined;
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(kinds, group) };
}

function groupEntry(kinds: Kinds, group: string): JsonObject {
  const versions = (kinds.groups().get(group) ?? []).map((version) => ({
    groupVersion: apiVersionOf({ group, version }),
    version,
  }));
  return { name: group, versions, preferredVersion: versions[0] ?? {} };
}

/** `/api/v1` and `/apis/<group>/<version>`, undefined when nothing is served there. */
export function apiResourceList(kinds: Kinds, group: string, version: string): JsonObject | undefined {
  const rows = kinds.in({ group, version });
  if (rows.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: rows.flatMap((row) => [
      resourceEntry(row),
      ...subresourcesOf(row).map((one) => subresourceEntry(row, one)),
    ]),
  };
}

function resourceEntry(row: Kind): JsonObject {
  const entry: JsonObject = {
    name: row.plural,
    singularName: row.singular,
    namespaced: row.namespaced,
    kind: row.kind,
    verbs: [...(row.verbs ?? VERBS)],
  };
  if (row.shortNames !== undefined) entry.shortNames = [...row.shortNames];
  if (row.categories !== undefined) entry.categories = [...row.categories];
  return entry;
}

function subresourcesOf(row: Kind): Subresource[] {
  const status = row.status === true ? [{ name: 'status', verbs: STATUS_VERBS, kind: row.kind }] : [];
  return [...(row.subresources ?? []), ...status];
}

function subresourceEntry(row: Kind, one: Subresource): JsonObject {
  const entry: JsonObject = {
    name: `${row.plural}/${one.name}`,
    singularName: '',
    namespaced: row.namespaced,
    kind: one.kind,
    verbs: [...one.verbs],
  };
  if (one.group !== undefined) entry.group = one.group;
  if (one.version !== undefined) entry.version = one.version;
  return entry;
}

/** Both `/api` and `/apis` in aggregated form (KEP-3352, apidiscovery.k8s.io). `core` chooses the group ''. */
export function aggregated(kinds: Kinds, core: boolean, version: string): JsonObject {
  const groups = [...kinds.groups()].filter(([group]) => (group === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: group === '' ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
      versions: versions.map((one) => aggregatedVersion(kinds, group, one)),
    })),
  };
}

function aggregatedVersion(kinds: Kinds, group: string, version: string): JsonObject {
  return { version, freshness: 'Current', resources: kinds.in({ group, version }).map(aggregatedResource) };
}

function aggregatedResource(row: Kind): JsonObject {
  const entry: JsonObject = {
    resource: row.plural,
    responseKind: { group: row.group, version: row.version, kind: row.kind },
    scope: row.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: row.singular,
    verbs: [...(row.verbs ?? VERBS)],
    subresources: subresourcesOf(row).map((one) => ({
      subresource: one.name,
      responseKind: { group: one.group ?? row.group, version: one.version ?? row.version, kind: one.kind },
      verbs: [...one.verbs],
    })),
  };
  if (row.shortNames !== undefined) entry.shortNames = [...row.shortNames];
  if (row.categories !== undefined) entry.categories = [...row.categories];
  return entry;
}
