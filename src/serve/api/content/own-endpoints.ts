/** Where the Service `kubernetes` leads: the addresses at which this very server listens (Kubernetes' endpoint reconciler). */
import { type AddressInfo, isIPv6 } from 'node:net';
import { type Api, keyOf } from '#serve/api/api.ts';
import { changeObject } from '#serve/api/verbs/change.ts';
import { createObject } from '#serve/api/verbs/create.ts';
import { ENDPOINTS } from '#spec/kinds/core/endpoints.ts';
import { ENDPOINT_SLICE } from '#spec/kinds/discovery.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import type { Kind, KubeObject } from '#spec/kinds/kind.ts';

const NAME = 'kubernetes';
const NAMESPACE = 'default';

/** Writes Endpoints and an EndpointSlice; nothing when pods can reach none of the addresses. */
export function ownEndpoints(api: Api, addresses: readonly AddressInfo[]): void {
  const [first] = addresses.filter(({ address }) => isReachable(address));
  if (first === undefined) return;
  const { address, port } = first;
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  keep(api, ENDPOINTS, 'v1', {}, { subsets: [{ addresses: [{ ip: address }], ports }] });
  keep(
    api,
    ENDPOINT_SLICE,
    'discovery.k8s.io/v1',
    { 'kubernetes.io/service-name': NAME },
    {
      addressType: isIPv6(address) ? 'IPv6' : 'IPv4',
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
      ports,
    },
  );
}

/** Neither the loopback, which every pod has for itself, nor the wildcard, which is no address. */
function isReachable(address: string): boolean {
  return !address.startsWith('127.') && !['::1', '::', '0.0.0.0'].includes(address);
}

function keep(api: Api, kind: Kind, apiVersion: string, labels: JsonObject, content: JsonObject): void {
  const metadata = { name: NAME, ...(Object.keys(labels).length === 0 ? {} : { labels }) };
  if (api.store.get(keyOf(kind, NAMESPACE, NAME)) === undefined) {
    createObject(api, kind, NAMESPACE, { apiVersion, kind: kind.kind, metadata, ...content }, false);
    return;
  }
  const target = { kind, namespace: NAMESPACE, name: NAME, subresource: '' };
  changeObject(api, target, (old: KubeObject) => Object.assign(old, structuredClone(content)), false);
}
