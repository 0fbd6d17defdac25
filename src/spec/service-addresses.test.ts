import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrefix } from '#net/prefix.ts';
import { DEFAULT_BGP } from '#spec/bgp.ts';
import { saysServices, serviceAddressesOn, servicesOn } from '#spec/service-addresses.ts';
import type { EndpointSlice, Service, SliceEndpoint } from '#spec/services.ts';

function service(name: string, spec: Service['spec'], ...ingress: string[]): Service {
  const status = { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } };
  return { metadata: { namespace: 'default', name }, spec: { type: 'LoadBalancer', ...spec }, status };
}

function slice(service: string, ...endpoints: SliceEndpoint[]): EndpointSlice {
  const labels = { 'kubernetes.io/service-name': service };
  return { metadata: { namespace: 'default', name: `${service}-x`, labels }, addressType: 'IPv4', endpoints };
}

const on = (nodeName: string, ready?: boolean): SliceEndpoint => ({
  addresses: ['10.244.1.2'],
  nodeName,
  ...(ready !== undefined && { conditions: { ready } }),
});

const LOCAL = { externalTrafficPolicy: 'Local', clusterIP: '10.96.0.7' } as const;
const NONE = { clusterIps: [], externalIps: [], loadBalancerIps: [] };

test('serviceAddressesOn: all addresses of a Local Service that has a ready endpoint on the node', () => {
  const spec = { ...LOCAL, clusterIPs: ['10.96.0.7', 'fd00:96::7'], externalIPs: ['203.0.113.9', '203.0.113.7'] };
  const services = [
    service('web', spec, '198.51.100.1'),
    service('all', { ...spec, externalTrafficPolicy: 'Cluster' }),
  ];
  const objects = { services, slices: [slice('web', on('a'), on('b', false)), slice('all', on('b', true))] };
  assert.deepEqual(serviceAddressesOn(objects, 'a'), {
    clusterIps: ['10.96.0.7', 'fd00:96::7'],
    externalIps: ['203.0.113.7', '203.0.113.9'],
    loadBalancerIps: ['198.51.100.1'],
  });
  assert.deepEqual(serviceAddressesOn(objects, 'b'), NONE, 'its endpoint is not ready');
  assert.deepEqual(serviceAddressesOn(objects, 'c'), NONE);
});

test('serviceAddressesOn: slices belong to the Service of their namespace and label; several slices count together', () => {
  const elsewhere = { ...slice('web', on('a')), metadata: { ...slice('web').metadata, namespace: 'other' } };
  const services = [service('web', LOCAL)];
  assert.deepEqual(serviceAddressesOn({ services, slices: [elsewhere, slice('web2', on('a'))] }, 'a'), NONE);
  const many = { services, slices: [slice('web', on('a', false)), slice('web'), slice('web', on('a', true))] };
  assert.deepEqual(serviceAddressesOn(many, 'a').clusterIps, ['10.96.0.7']);
});

test('serviceAddressesOn: what is no address, or of no load balancer, is nobody’s', () => {
  const headless = service('web', { ...LOCAL, clusterIP: 'None', type: 'NodePort' }, '198.51.100.1');
  const slices = [slice('web', on('a'))];
  assert.deepEqual(serviceAddressesOn({ services: [headless], slices }, 'a'), NONE);
  const named: Service = { ...service('web', LOCAL), status: { loadBalancer: { ingress: [{}] } } };
  assert.deepEqual(serviceAddressesOn({ services: [named], slices }, 'a').loadBalancerIps, []);
});

test('servicesOn keeps what gives the same addresses, and nothing of other nodes', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const services = fc.array(
    fc.tuple(names, fc.boolean()).map(([name, local]) => service(name, local ? LOCAL : { clusterIP: '10.96.0.9' })),
  );
  const endpoints = fc.array(fc.tuple(names, fc.boolean()).map(([node, ready]) => on(node, ready)));
  const slices = fc.array(fc.tuple(names, endpoints).map(([name, all]) => slice(name, ...all)));
  fc.assert(
    fc.property(fc.record({ services, slices }), names, (objects, node) => {
      const kept = servicesOn(objects, node);
      assert.deepEqual(serviceAddressesOn(kept, node), serviceAddressesOn(objects, node));
      assert.deepEqual(servicesOn(kept, node), kept);
      assert.ok(kept.slices.every((each) => each.endpoints?.every(({ nodeName }) => nodeName === node)));
    }),
  );
});

test('saysServices: for the node itself or for all', () => {
  const serviceExternalIps = [parsePrefix('203.0.113.0/24')];
  assert.equal(saysServices(DEFAULT_BGP, 'a'), false);
  const all = { ...DEFAULT_BGP, configuration: { ...DEFAULT_BGP.configuration, serviceExternalIps } };
  assert.equal(saysServices(all, 'a'), true);
  assert.equal(saysServices({ ...all, nodes: { a: { serviceExternalIps: [] } } }, 'a'), false);
  assert.equal(saysServices({ ...DEFAULT_BGP, nodes: { a: { serviceExternalIps } } }, 'b'), false);
  assert.equal(saysServices({ ...DEFAULT_BGP, nodes: { a: { serviceExternalIps } } }, 'a'), true);
});
