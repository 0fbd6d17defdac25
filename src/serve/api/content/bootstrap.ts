/** What every cluster has from the start. */
import { type Api, keyOf } from '#serve/api/api.ts';
import { createObject } from '#serve/api/verbs/create.ts';
import { NAMESPACE } from '#spec/kinds/core/namespace.ts';
import { SERVICE } from '#spec/kinds/core/service.ts';
import { KUBERNETES_SERVICE_ADDRESS } from '#spec/kinds/core/service-address.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import type { Kind } from '#spec/kinds/kind.ts';

const NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/** Makes the namespaces and the Service `kubernetes` that are missing. */
export function bootstrap(api: Api): void {
  for (const name of NAMESPACES) ensure(api, NAMESPACE, '', name, {}, {});
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  ensure(api, SERVICE, 'default', 'kubernetes', labels, {
    type: 'ClusterIP',
    clusterIP: KUBERNETES_SERVICE_ADDRESS,
    ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
  });
}

function ensure(api: Api, kind: Kind, namespace: string, name: string, labels: JsonObject, spec: JsonObject): void {
  if (api.store.get(keyOf(kind, namespace, name)) !== undefined) return;
  const metadata = Object.keys(labels).length === 0 ? { name } : { name, labels };
  createObject(api, kind, namespace, { apiVersion: kind.version, kind: kind.kind, metadata, spec }, false);
}
