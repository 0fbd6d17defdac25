/**
 * Addresses of Services whose `externalTrafficPolicy` is Local: outsiders are to come only to nodes that have an endpoint.
 * Kubernetes API reference, ServiceSpec v1; Calico says by BGP of each node what it has.
 */

import { type Addr, readAddr } from '#net/addr.ts';
import type { BgpSettings } from '#spec/bgp.ts';
import { keyText } from '#spec/k8s.ts';
import { type EndpointSlice, SERVICE_NAME_LABEL, type Service } from '#spec/services.ts';

/** Of those Services that have a ready endpoint on one node. Each sorted, without repetition. */
export interface ServiceAddresses {
  readonly clusterIps: readonly Addr[];
  readonly externalIps: readonly Addr[];
  readonly loadBalancerIps: readonly Addr[];
}

export interface ServiceObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

/** Whether BGP says Services' addresses of this node at all: else nobody need know them. */
export function saysServices({ configuration, nodes }: BgpSettings, node: string): boolean {
  const { serviceClusterIps, serviceExternalIps, serviceLoadBalancerIps } = { ...configuration, ...nodes[node] };
  return [serviceClusterIps, serviceExternalIps, serviceLoadBalancerIps].some((networks) => networks.length > 0);
}

export function isLocal({ spec }: Service): boolean {
  return spec.externalTrafficPolicy === 'Local';
}

/** Whether the slice has an endpoint on the node, ready or not. */
export function isOn({ endpoints }: EndpointSlice, node: string): boolean {
  return (endpoints ?? []).some(({ nodeName }) => nodeName === node);
}

/** What matters for one node, and no more: for those who keep it. */
export function servicesOn({ services, slices }: ServiceObjects, node: string): ServiceObjects {
  const here = slices.filter((slice) => isOn(slice, node));
  const names = new Set(here.map(serviceOf));
  const local = services.filter((service) => isLocal(service) && names.has(keyOfService(service)));
  const kept = new Set(local.map(keyOfService));
  return {
    services: local,
    slices: here
      .filter((slice) => kept.has(serviceOf(slice)))
      .map((slice) => ({ ...slice, endpoints: (slice.endpoints ?? []).filter(({ nodeName }) => nodeName === node) })),
  };
}

/** A text that is no address is left out. */
export function serviceAddressesOn(objects: ServiceObjects, node: string): ServiceAddresses {
  const { services, slices } = servicesOn(objects, node);
  const ready = new Set(slices.filter(hasReady).map(serviceOf));
  const here = services.filter((service) => ready.has(keyOfService(service)));
  return {
    clusterIps: addrsOf(here.flatMap(({ spec: { clusterIPs, clusterIP } }) => clusterIPs ?? clusterIP ?? [])),
    externalIps: addrsOf(here.flatMap(({ spec }) => spec.externalIPs ?? [])),
    loadBalancerIps: addrsOf(here.flatMap(loadBalancerIps)),
  };
}

function loadBalancerIps({ spec, status }: Service): string[] {
  if (spec.type !== 'LoadBalancer') return [];
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}

/** An endpoint whose readiness nobody knows counts as ready (EndpointConditions). */
function hasReady({ endpoints }: EndpointSlice): boolean {
  return (endpoints ?? []).some(({ conditions }) => conditions?.ready ?? true);
}

function serviceOf({ metadata: { namespace = '', labels } }: EndpointSlice): string {
  return keyText({ namespace, name: labels?.[SERVICE_NAME_LABEL] ?? '' });
}

function keyOfService({ metadata: { namespace = '', name = '' } }: Service): string {
  return keyText({ namespace, name });
}

/** `None` of a headless Service is no address. */
function addrsOf(texts: readonly string[]): Addr[] {
  const addrs = texts.map(readAddr).filter((addr) => addr !== undefined);
  return [...new Set(addrs)].sort();
}
