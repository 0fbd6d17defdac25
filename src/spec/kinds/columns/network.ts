/** Columns of what stands behind and around Services. */
import { AGE, column, formatSelector, NAME } from '#spec/kinds/columns/common.ts';
import { at, type JsonObject, numberAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

/** How many items a cell names before it only counts. */
const SHOWN = 3;

export const ENDPOINTS_COLUMNS: readonly Column[] = [
  NAME,
  column('Endpoints', 'Addresses and ports of pods that are ready.', endpointsCell),
  AGE,
];

export const ENDPOINT_SLICE_COLUMNS: readonly Column[] = [
  NAME,
  column('AddressType', 'Family of its addresses.', (slice) => textAt(slice, 'addressType')),
  column('Ports', 'Ports of every endpoint.', (slice) => few(objectsAt(slice, 'ports').map(slicePort), '<unset>')),
  column('Endpoints', 'Addresses.', (slice) =>
    few(
      objectsAt(slice, 'endpoints').flatMap((one) => textsAt(one, 'addresses')),
      '<unset>',
    ),
  ),
  AGE,
];

export const NETWORK_POLICY_COLUMNS: readonly Column[] = [
  NAME,
  column('Pod-Selector', 'Labels of the pods that it is for.', (policy) =>
    formatSelector(at(policy, 'spec', 'podSelector')),
  ),
  AGE,
];

export const INGRESS_COLUMNS: readonly Column[] = [
  NAME,
  column('Class', 'Who serves it.', (ingress) => textAt(ingress, 'spec', 'ingressClassName') || '<none>'),
  column('Hosts', 'Names that it is for.', hostsCell),
  column('Address', 'Where it is reached.', (ingress) =>
    objectsAt(ingress, 'status', 'loadBalancer', 'ingress')
      .map((one) => textAt(one, 'ip') || textAt(one, 'hostname'))
      .join(','),
  ),
  column('Ports', 'Ports of it.', (ingress) => (objectsAt(ingress, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
  AGE,
];

export const INGRESS_CLASS_COLUMNS: readonly Column[] = [
  NAME,
  column('Controller', 'Who serves it.', (one) => textAt(one, 'spec', 'controller')),
  column('Parameters', 'Object with further settings.', parametersCell),
  AGE,
];

function few(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(0, SHOWN).join(',');
  return items.length > SHOWN ? `${shown} + ${items.length - SHOWN} more...` : shown;
}

function endpointsCell(endpoints: KubeObject): string {
  const all = objectsAt(endpoints, 'subsets').flatMap((subset) => {
    const addresses = objectsAt(subset, 'addresses').map((one) => textAt(one, 'ip'));
    const ports = objectsAt(subset, 'ports').map((one) => numberAt(one, 'port') ?? 0);
    if (ports.length === 0) return addresses;
    return ports.flatMap((port) => addresses.map((ip) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)));
  });
  return few(all, '<none>');
}

function slicePort(port: JsonObject): string {
  const number = numberAt(port, 'port');
  return number === undefined ? '*' : String(number);
}

function hostsCell(ingress: KubeObject): string {
  const hosts = objectsAt(ingress, 'spec', 'rules')
    .map((rule) => textAt(rule, 'host'))
    .filter(Boolean);
  return few(hosts, '*');
}

function parametersCell(one: KubeObject): string {
  const [group, kind, name] = ['apiGroup', 'kind', 'name'].map((key) => textAt(one, 'spec', 'parameters', key));
  if (!name) return '<none>';
  return group ? `${kind}.${group}/${name}` : `${kind}/${name}`;
}
