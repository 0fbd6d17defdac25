/** Services and what stands behind them (core/v1, discovery.k8s.io/v1), as they stand in JSON. */

import { type KubeObject, type Labels, type ObjectReference, resource } from '#spec/k8s.ts';

export interface ServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly nodePort?: number;
  readonly appProtocol?: string;
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
    readonly selector?: Labels;
    readonly ports?: readonly ServicePort[];
    /** An address, or `None`. */
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly ipFamilies?: readonly AddressFamily[];
    readonly publishNotReadyAddresses?: boolean;
    readonly externalName?: string;
    readonly externalIPs?: readonly string[];
    readonly sessionAffinity?: 'None' | 'ClientIP';
    readonly internalTrafficPolicy?: 'Cluster' | 'Local';
    readonly externalTrafficPolicy?: 'Cluster' | 'Local';
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

export type AddressFamily = 'IPv4' | 'IPv6';

export interface EndpointPort {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
}

/** One pod, as an EndpointSlice names it. */
export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly targetRef?: ObjectReference;
}

export interface EndpointSlice extends KubeObject {
  readonly addressType: AddressFamily | 'FQDN';
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly EndpointPort[] | null;
}

export interface EndpointAddress {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: ObjectReference;
}

export interface EndpointSubset {
  readonly addresses?: readonly EndpointAddress[];
  readonly notReadyAddresses?: readonly EndpointAddress[];
  readonly ports?: readonly EndpointPort[];
}

export interface Endpoints extends KubeObject {
  readonly subsets?: readonly EndpointSubset[];
}

/** Label of a slice: the Service that it belongs to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Label of a slice: who keeps it. */
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** Label of slices and Endpoints of a headless Service. */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';

export const SERVICES = resource<Service>('', 'v1', 'Service', 'services');
export const ENDPOINTS = resource<Endpoints>('', 'v1', 'Endpoints', 'endpoints');
export const ENDPOINT_SLICES = resource<EndpointSlice>('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices');
