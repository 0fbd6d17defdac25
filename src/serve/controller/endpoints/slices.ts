/** EndpointSlices of a Service: at most 100 endpoints each, changed as few as can be (KEP-752). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { canonical } from '#serve/controller/daemonset/hash.ts';
import { type Backend, backendsOf, familiesOf, hasSelector, isHeadless } from '#serve/controller/endpoints/backends.ts';
import { servicesOf } from '#serve/controller/endpoints/wake.ts';
import type { World } from '#serve/controller/world.ts';
import { decision, NOTHING, ownedBy, type Write } from '#serve/controller/write.ts';
import { type Labels, NODES, PODS } from '#spec/k8s.ts';
import {
  type AddressFamily,
  ENDPOINT_SLICES,
  type EndpointPort,
  type EndpointSlice,
  HEADLESS_LABEL,
  MANAGED_BY_LABEL,
  SERVICE_NAME_LABEL,
  SERVICES,
  type Service,
  type SliceEndpoint,
} from '#spec/services.ts';

export const MANAGER = 'endpointslice-controller.k8s.io';
/** Endpoints of one slice. */
const MOST = 100;

export const endpointSliceController: Controller = {
  name: 'endpointslice',
  needs: [SERVICES, PODS, NODES, ENDPOINT_SLICES],
  keys: (world) => [...world.of(SERVICES).keys()],
  wake(resource, change, world) {
    if (!isOf(ENDPOINT_SLICES, resource, change)) return servicesOf(resource, change, world);
    const name = change.object.metadata.labels?.[SERVICE_NAME_LABEL];
    return name === undefined ? [] : [`${change.object.metadata.namespace}/${name}`];
  },
  decide(world, key) {
    const service = world.of(SERVICES).get(key);
    // The garbage collector takes the slices of a Service that is gone.
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) return NOTHING;
    // Without a selector people keep the slices themselves.
    if (!hasSelector(service)) return NOTHING;
    return decision(reconcile(service, slicesOf(service, world), world));
  },
};

function slicesOf(service: Service, world: World): EndpointSlice[] {
  const { name, namespace } = service.metadata;
  const all = [...world.of(ENDPOINT_SLICES).values()].filter(
    ({ metadata }) =>
      metadata.namespace === namespace &&
      metadata.labels?.[SERVICE_NAME_LABEL] === name &&
      metadata.labels?.[MANAGED_BY_LABEL] === MANAGER &&
      metadata.deletionTimestamp === undefined,
  );
  return all.sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
}

function reconcile(service: Service, have: readonly EndpointSlice[], world: World): Write[] {
  const families = familiesOf(service);
  const strays = have.filter((slice) => !families.some((family) => family === slice.addressType));
  const writes = families.flatMap((family) => {
    const groups = Map.groupBy(backendsOf(service, family, world), ({ ports }) => JSON.stringify(ports));
    // A Service without backends has one empty slice.
    if (groups.size === 0) groups.set('[]', []);
    const ours = Map.groupBy(
      have.filter((slice) => slice.addressType === family),
      (slice) => JSON.stringify((slice.ports ?? []).map(ordered)),
    );
    const stale = [...ours].filter(([ports]) => !groups.has(ports)).flatMap(([, slices]) => slices);
    const kept = [...groups].flatMap(([ports, backends]) => pack(service, family, backends, ours.get(ports) ?? []));
    return [...kept, ...stale.map(remove)];
  });
  return [...writes, ...strays.map(remove)];
}

/** Keys in the order in which backends have them, whoever wrote the slice. */
function ordered({ name = '', port, protocol = 'TCP', appProtocol }: EndpointPort): EndpointPort {
  const number = port === undefined ? {} : { port };
  return { name, ...number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) };
}

/** Endpoints stay in the slice where they are; new ones fill slices that have room. */
function pack(
  service: Service,
  family: AddressFamily,
  backends: readonly Backend[],
  have: readonly EndpointSlice[],
): Write[] {
  const wanted = new Map(backends.map((one) => [identity(endpoint(one)), endpoint(one)]));
  const contents = have.map((slice) => {
    const stay = (slice.endpoints ?? [])
      .map(identity)
      .filter((id, index, all) => wanted.has(id) && all.indexOf(id) === index);
    const kept = stay.slice(0, MOST).flatMap((id) => takeFrom(wanted, id));
    return { slice, endpoints: kept };
  });
  const rest = [...wanted.values()];
  // Those that change anyway are filled first.
  const open = contents.toSorted((a, b) => Number(isSame(a.slice, a.endpoints)) - Number(isSame(b.slice, b.endpoints)));
  for (const content of open) content.endpoints.push(...rest.splice(0, MOST - content.endpoints.length));
  const empty = contents.filter(({ endpoints }) => endpoints.length === 0);
  const surplus = empty.slice(backends.length === 0 ? 1 : 0);
  const kept = contents.filter((content) => !surplus.includes(content));
  const fresh: SliceEndpoint[][] = [];
  while (rest.length > 0) fresh.push(rest.splice(0, MOST));
  if (kept.length + fresh.length === 0) fresh.push([]);
  const ports = backends[0]?.ports ?? [];
  return [
    ...kept.flatMap(({ slice, endpoints }) => update(service, slice, endpoints)),
    ...fresh.map((endpoints) => create(service, family, endpoints, ports)),
    ...surplus.map(({ slice }) => remove(slice)),
  ];
}

function takeFrom(wanted: Map<string, SliceEndpoint>, id: string): SliceEndpoint[] {
  const found = wanted.get(id);
  wanted.delete(id);
  return found === undefined ? [] : [found];
}

function identity({ addresses, targetRef }: SliceEndpoint): string {
  return `${addresses.join()} ${targetRef?.uid}`;
}

function endpoint({
  address,
  ready,
  serving,
  terminating,
  hostname,
  nodeName,
  zone,
  targetRef,
}: Backend): SliceEndpoint {
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef,
  };
}

/** Labels of the Service, and those that say whose slice it is. */
function labelsOf(service: Service): Labels {
  const { [HEADLESS_LABEL]: _, ...own } = service.metadata.labels ?? {};
  return {
    ...own,
    [SERVICE_NAME_LABEL]: service.metadata.name ?? '',
    [MANAGED_BY_LABEL]: MANAGER,
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
  };
}

function create(
  service: Service,
  addressType: AddressFamily,
  endpoints: readonly SliceEndpoint[],
  ports: readonly EndpointPort[],
): Write {
  const { name, namespace } = service.metadata;
  const object: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: ENDPOINT_SLICES.kind,
    metadata: {
      generateName: `${name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: labelsOf(service),
      ownerReferences: [ownedBy(SERVICES, service)],
    },
    addressType,
    endpoints,
    ports,
  };
  return { verb: 'create', resource: ENDPOINT_SLICES, object };
}

function update(service: Service, slice: EndpointSlice, endpoints: readonly SliceEndpoint[]): Write[] {
  const labels = labelsOf(service);
  const had = slice.metadata.labels ?? {};
  const gone = Object.keys(had).filter((key) => !(key in labels));
  const sameLabels = gone.length === 0 && Object.entries(labels).every(([key, value]) => had[key] === value);
  if (sameLabels && isSame(slice, endpoints)) return [];
  const patched = { ...labels, ...Object.fromEntries(gone.map((key) => [key, null])) };
  const patch = { metadata: { labels: patched }, endpoints };
  return [{ verb: 'patch', resource: ENDPOINT_SLICES, base: slice, patch }];
}

function isSame(slice: EndpointSlice, endpoints: readonly SliceEndpoint[]): boolean {
  return canonical(slice.endpoints ?? []) === canonical(endpoints);
}

function remove(slice: EndpointSlice): Write {
  return { verb: 'delete', resource: ENDPOINT_SLICES, object: slice };
}
