import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { endpointsController } from '#serve/controller/endpoints/endpoints.ts';
import { endpointSliceController } from '#serve/controller/endpoints/slices.ts';
import { node, type PodShape, pod, TestWorld } from '#serve/controller/testing.ts';
import type { Pod } from '#spec/k8s.ts';
import {
  ENDPOINT_SLICES,
  ENDPOINTS,
  HEADLESS_LABEL,
  SERVICE_NAME_LABEL,
  SERVICES,
  type Service,
} from '#spec/services.ts';

const PORTS = [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }];

function service(spec: Partial<Service['spec']> = {}, labels = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'web', uid: 'web-uid', labels },
    spec: { type: 'ClusterIP', selector: { app: 'web' }, ports: PORTS, ipFamilies: ['IPv4'], ...spec },
  };
}

function backend(index: number, ready = true, shape: PodShape = {}): Pod {
  const ip = `10.244.${index >> 8}.${index & 255}`;
  return pod(`web-${index}`, {
    metadata: {
      namespace: 'default',
      name: `web-${index}`,
      uid: `uid-web-${index}`,
      labels: { app: 'web' },
      ...shape.metadata,
    },
    spec: { nodeName: 'node1', ...shape.spec },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      ...shape.status,
    },
  });
}

function settled(objects: Parameters<TestWorld['put']>[0][]): TestWorld {
  const world = new TestWorld([node('node1', { labels: { 'topology.kubernetes.io/zone': 'a' } }), ...objects]);
  world.settle(endpointSliceController);
  world.settle(endpointsController);
  return world;
}

const slicesIn = (world: TestWorld) => [...world.of(ENDPOINT_SLICES).values()];
const endpointsIn = (world: TestWorld) => slicesIn(world).flatMap((slice) => slice.endpoints ?? []);
const subsets = (world: TestWorld) => world.of(ENDPOINTS).get('default/web')?.subsets;

test('each pod that the selector fits is an endpoint, with its node, zone and conditions', () => {
  const world = settled([
    service(),
    backend(1),
    backend(2, false),
    backend(3, true, { metadata: { labels: { app: 'x' } } }),
  ]);
  const [slice, ...more] = slicesIn(world);
  assert.ok(slice);
  assert.equal(more.length, 0);
  assert.equal(slice.metadata.labels?.[SERVICE_NAME_LABEL], 'web');
  assert.deepEqual(slice.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  assert.deepEqual(slice.endpoints?.[0], {
    addresses: ['10.244.0.1'],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: 'node1',
    zone: 'a',
    targetRef: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'uid-web-1' },
  });
  assert.deepEqual(slice.endpoints?.[1]?.conditions, { ready: false, serving: false, terminating: false });
  const [subset] = subsets(world) ?? [];
  assert.deepEqual(
    subset?.addresses?.map(({ ip }) => ip),
    ['10.244.0.1'],
  );
  assert.deepEqual(
    subset?.notReadyAddresses?.map(({ ip }) => ip),
    ['10.244.0.2'],
  );
  assert.deepEqual(
    subset?.ports,
    PORTS.map(({ name, targetPort, protocol }) => ({ name, port: targetPort, protocol })),
  );
});

test('what counts: ended pods and pods without an address do not, pods that end are terminating', () => {
  const dying = { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
  const labels = { app: 'web' };
  const world = settled([
    service(),
    backend(1, true, { status: { phase: 'Succeeded' } }),
    backend(2, true, { status: { phase: 'Pending', podIPs: [] } }),
    backend(3, true, { metadata: { labels, ...dying.metadata } }),
  ]);
  assert.deepEqual(
    endpointsIn(world).map(({ addresses, conditions }) => [addresses[0], conditions]),
    [['10.244.0.3', { ready: false, serving: true, terminating: true }]],
  );
  assert.deepEqual(subsets(world), []);
});

test('a port by name is each pod’s own, and pods with other ports are in another slice', () => {
  const named = (containerPort: number) => ({
    spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort }] }] },
  });
  const ports = [{ port: 80, targetPort: 'web' }];
  const world = settled([service({ ports }), backend(1, true, named(8080)), backend(2, true, named(9090)), backend(3)]);
  assert.deepEqual(
    slicesIn(world)
      .map((slice) => slice.ports?.map(({ port }) => port))
      .sort(),
    [[], [8080], [9090]],
  );
  assert.deepEqual(
    subsets(world)
      ?.map((subset) => subset.ports?.[0]?.port)
      .sort(),
    [8080, 9090, undefined],
  );
});

test('publishNotReadyAddresses: every address is ready', () => {
  const world = settled([service({ publishNotReadyAddresses: true }), backend(1, false)]);
  assert.deepEqual(endpointsIn(world)[0]?.conditions, { ready: true, serving: false, terminating: false });
  assert.equal(subsets(world)?.[0]?.addresses?.length, 1);
});

test('a headless Service gives its pods their names', () => {
  const world = settled([
    service({ clusterIP: 'None', ports: [] }),
    backend(1, true, { spec: { hostname: 'web-1', subdomain: 'web' } }),
    backend(2, true, { spec: { hostname: 'web-2', subdomain: 'other' } }),
  ]);
  assert.deepEqual(
    endpointsIn(world).map(({ hostname }) => hostname),
    ['web-1', undefined],
  );
  assert.equal(slicesIn(world)[0]?.metadata.labels?.[HEADLESS_LABEL], '');
  assert.equal(subsets(world)?.[0]?.addresses?.[0]?.hostname, 'web-1');
});

test('families get slices of their own', () => {
  const podIPs = [{ ip: '10.244.0.1' }, { ip: 'fd00::1' }];
  const world = settled([
    service({ ipFamilies: ['IPv6', 'IPv4'] }),
    backend(1, true, { status: { phase: 'Running', podIPs } }),
  ]);
  assert.deepEqual(
    slicesIn(world)
      .map((slice) => `${slice.addressType} ${slice.endpoints?.[0]?.addresses[0]}`)
      .sort(),
    ['IPv4 10.244.0.1', 'IPv6 fd00::1'],
  );
  assert.equal(subsets(world)?.[0]?.addresses?.[0]?.ip, 'fd00::1');
});

test('a Service without backends has one empty slice, one without a selector is people’s own', () => {
  assert.deepEqual(
    slicesIn(settled([service()])).map((slice) => slice.endpoints),
    [[]],
  );
  const { selector: _, ...rest } = service().spec;
  const bare = settled([{ ...service(), spec: rest } as Service, backend(1)]);
  assert.deepEqual([slicesIn(bare).length, subsets(bare)], [0, undefined]);
});

test('at most 100 endpoints a slice; one change touches one slice', () => {
  const world = settled([service(), ...Array.from({ length: 250 }, (_, index) => backend(index))]);
  assert.deepEqual(
    slicesIn(world)
      .map((slice) => slice.endpoints?.length)
      .sort(),
    [100, 100, 50],
  );
  world.put(backend(7, false));
  assert.equal(world.settle(endpointSliceController).length, 1);
  world.put(backend(300));
  world.remove(backend(8));
  // The new one takes the place that became free.
  assert.equal(world.settle(endpointSliceController).length, 1);
  assert.equal(endpointsIn(world).length, 250);
});

test('Endpoints go with their Service; those that people made stay', () => {
  const world = settled([service(), backend(1)]);
  world.put({ apiVersion: 'v1', kind: 'Endpoints', metadata: { namespace: 'default', name: 'own' } });
  for (const each of world.of(SERVICES).values()) world.remove(each);
  world.settle(endpointsController);
  assert.deepEqual([...world.of(ENDPOINTS).keys()], ['default/own']);
});

test('from any state: every backend exactly once', () => {
  const step = fc.record({ pod: fc.nat(160), do: fc.constantFrom('up', 'down', 'gone') });
  fc.assert(
    fc.property(fc.nat(150), fc.array(step, { maxLength: 60 }), fc.array(fc.nat(59)), (count, steps, looks) => {
      const world = settled([service(), ...Array.from({ length: count }, (_, index) => backend(index))]);
      for (const [index, one] of steps.entries()) {
        if (one.do === 'gone') world.remove(backend(one.pod));
        else world.put(backend(one.pod, one.do === 'up'));
        if (looks.includes(index)) world.settle(endpointSliceController);
      }
      world.settle(endpointSliceController);
      const pods = [...world.of({ group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }).keys()];
      const found = endpointsIn(world).map(({ targetRef }) => `default/${targetRef?.name}`);
      assert.deepEqual(found.sort(), pods.sort());
      assert.ok(slicesIn(world).every((slice) => (slice.endpoints?.length ?? 0) <= 100));
    }),
    { numRuns: 40 },
  );
});
