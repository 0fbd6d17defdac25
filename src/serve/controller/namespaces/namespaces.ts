/** The namespaces that every cluster has, what every namespace has, and the end of a namespace. */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import type { World } from '#serve/controller/world.ts';
import { decision, NOTHING, type Write } from '#serve/controller/write.ts';
import { CONFIG_MAPS, type ConfigMap, NAMESPACES, type Namespace, SERVICE_ACCOUNTS } from '#spec/k8s.ts';

export const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

const DEFAULT_ACCOUNT = 'default';
/** Where pods find the authority of the API server's certificate. */
const ROOT_CA = 'kube-root-ca.crt';

/** @param ca PEM text of the API server's authority, published in each namespace; absent: not published. */
export function namespaceController(ca: string | undefined): Controller {
  return {
    name: 'namespaces',
    needs: [NAMESPACES, SERVICE_ACCOUNTS],
    keys: (world) => [...new Set([...SYSTEM_NAMESPACES, ...world.of(NAMESPACES).keys()])],
    wake(resource, change) {
      if (isOf(NAMESPACES, resource, change)) return [change.key];
      if (!isOf(SERVICE_ACCOUNTS, resource, change) || change.type !== 'delete') return [];
      return [change.object.metadata.namespace ?? ''];
    },
    decide(world, name) {
      const namespace = world.of(NAMESPACES).get(name);
      if (namespace === undefined) return decision(found(name));
      if (namespace.metadata.deletionTimestamp === undefined) return decision(furnish(name, ca, world));
      return isHeld(namespace) ? decision([{ verb: 'purge', namespace }]) : NOTHING;
    },
  };
}

function found(name: string): Write[] {
  if (!SYSTEM_NAMESPACES.some((known) => known === name)) return [];
  return [
    { verb: 'ensure', resource: NAMESPACES, object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } },
  ];
}

/** The authority, then the service account that pods run as unless they name another: where that is, the other is too. */
function furnish(namespace: string, ca: string | undefined, world: World): Write[] {
  if (world.of(SERVICE_ACCOUNTS).has(`${namespace}/${DEFAULT_ACCOUNT}`)) return [];
  const object = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name: DEFAULT_ACCOUNT } };
  const account: Write = { verb: 'ensure', resource: SERVICE_ACCOUNTS, object };
  return ca === undefined
    ? [account]
    : [{ verb: 'ensure', resource: CONFIG_MAPS, object: rootCa(namespace, ca) }, account];
}

function rootCa(namespace: string, ca: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: ROOT_CA }, data: { 'ca.crt': ca } };
}

/** It still carries the finalizer that means: not yet empty. */
function isHeld(namespace: Namespace): boolean {
  return namespace.spec?.finalizers?.includes('kubernetes') === true;
}
