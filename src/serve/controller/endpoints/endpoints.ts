/** The older way to name a Service's backends: all in one object of the Service's name (core/v1 Endpoints). */

import { type Controller, isOf } from '#serve/controller/controller.ts';
import { canonical } from '#serve/controller/daemonset/hash.ts';
import { type Backend, backendsOf, familiesOf, hasSelector, isHeadless } from '#serve/controller/endpoints/backends.ts';
import { servicesOf } from '#serve/controller/endpoints/wake.ts';
import type { World } from '#serve/controller/world.ts';
import { type Decision, decision, NOTHING } from '#serve/controller/write.ts';
import { PODS } from '#spec/k8s.ts';
import {
  ENDPOINTS,
  type EndpointAddress,
  type EndpointSubset,
  type Endpoints,
  HEADLESS_LABEL,
  SERVICES,
  type Service,
} from '#spec/services.ts';

/** Says that this controller made it, so that it goes with its Service. */
const MANAGED_LABEL = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';
/** Addresses that one object names. */
const MOST = 1000;

export const endpointsController: Controller = {
  name: 'endpoints',
  needs: [SERVICES, PODS, ENDPOINTS],
  keys: (world) => [...new Set([...world.of(SERVICES).keys(), ...world.of(ENDPOINTS).keys()])],
  wake(resource, change, world) {
    return isOf(ENDPOINTS, resource, change) ? [change.key] : servicesOf(resource, change, world);
  },
  decide(world, key) {
    const service = world.of(SERVICES).get(key);
    const have = world.of(ENDPOINTS).get(key);
    if (service === undefined) return forget(have);
    // Without a selector people keep the Endpoints themselves.
    return hasSelector(service) ? reconcile(service, have, world) : NOTHING;
  },
};

function forget(have: Endpoints | undefined): Decision {
  if (have?.metadata.labels?.[MANAGED_LABEL] !== MANAGER) return NOTHING;
  const { namespace, name = '' } = have.metadata;
  const key = namespace === undefined ? { name } : { namespace, name };
  return decision([{ verb: 'delete', resource: ENDPOINTS, object: have, ifGone: { resource: SERVICES, key } }]);
}

function reconcile(service: Service, have: Endpoints | undefined, world: World): Decision {
  const [family = 'IPv4'] = familiesOf(service);
  const shown = backendsOf(service, family, world).filter(
    ({ terminating }) => !terminating || service.spec.publishNotReadyAddresses === true,
  );
  const subsets = subsetsOf(shown.slice(0, MOST));
  const labels = {
    ...service.metadata.labels,
    [MANAGED_LABEL]: MANAGER,
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
  };
  if (have === undefined) {
    const { name = '', namespace } = service.metadata;
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }), labels };
    const object = { apiVersion: 'v1', kind: ENDPOINTS.kind, metadata, subsets };
    return decision([{ verb: 'create', resource: ENDPOINTS, object }]);
  }
  const had = have.metadata.labels ?? {};
  const sameLabels = Object.entries(labels).every(([key, value]) => had[key] === value);
  if (sameLabels && canonical(have.subsets ?? []) === canonical(subsets)) return NOTHING;
  return decision([{ verb: 'patch', resource: ENDPOINTS, base: have, patch: { metadata: { labels }, subsets } }]);
}

/** One subset for all backends that serve on the same ports. */
function subsetsOf(backends: readonly Backend[]): EndpointSubset[] {
  const groups = [...Map.groupBy(backends, ({ ports }) => JSON.stringify(ports))].sort(([a], [b]) => (a < b ? -1 : 1));
  return groups.map(([, group]) => {
    const addresses = group.filter(({ ready }) => ready).map(addressOf);
    const notReadyAddresses = group.filter(({ ready }) => !ready).map(addressOf);
    const ports = (group[0]?.ports ?? []).map(({ name, ...port }) => ({ ...(name ? { name } : {}), ...port }));
    return {
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
      ...(ports.length === 0 ? {} : { ports }),
    };
  });
}

function addressOf({ address, hostname, nodeName, targetRef }: Backend): EndpointAddress {
  return {
    ip: address,
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef,
  };
}
