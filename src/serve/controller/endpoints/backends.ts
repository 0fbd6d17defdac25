/** The pods behind a Service and the ports that they serve it on: what Endpoints and EndpointSlices both say. */

import { isReady } from '#serve/controller/daemonset/availability.ts';
import { matchesSelector } from '#serve/controller/match/labels.ts';
import { hasEnded } from '#serve/controller/workload/pods.ts';
import type { World } from '#serve/controller/world.ts';
import { type Container, NODES, type ObjectReference, PODS, type Pod } from '#spec/k8s.ts';
import type { AddressFamily, EndpointPort, Service, ServicePort } from '#spec/services.ts';

export interface Backend {
  readonly address: string;
  readonly ports: readonly EndpointPort[];
  /** It may get new connections. */
  readonly ready: boolean;
  /** It answers, though it may be ending. */
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly targetRef: ObjectReference;
}

const ZONE = 'topology.kubernetes.io/zone';

export function isHeadless({ spec }: Service): boolean {
  return spec.clusterIP === 'None';
}

/** Whether this is a Service whose backends are found by labels. */
export function hasSelector({ spec }: Service): boolean {
  return spec.type !== 'ExternalName' && Object.keys(spec.selector ?? {}).length > 0;
}

export function familiesOf({ spec }: Service): readonly AddressFamily[] {
  return spec.ipFamilies ?? ['IPv4'];
}

/** Does the Service speak of this pod? */
export function selects(service: Service, pod: Pod): boolean {
  if (!hasSelector(service) || service.metadata.namespace !== pod.metadata.namespace) return false;
  return matchesSelector({ matchLabels: service.spec.selector ?? {} }, pod.metadata.labels);
}

/** All backends with an address of this family, in order of their addresses' names. */
export function backendsOf(service: Service, family: AddressFamily, world: World): Backend[] {
  const found: Backend[] = [];
  for (const pod of world.of(PODS).values()) {
    if (!selects(service, pod) || hasEnded(pod)) continue;
    const address = addressOf(pod, family);
    if (address !== undefined) found.push(backend(service, pod, address, world));
  }
  return found.sort((a, b) => ((a.targetRef.name ?? '') < (b.targetRef.name ?? '') ? -1 : 1));
}

function addressOf({ status }: Pod, family: AddressFamily): string | undefined {
  const all = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP ? [status.podIP] : []);
  return all.find((ip) => ip.includes(':') === (family === 'IPv6'));
}

function backend(service: Service, pod: Pod, address: string, world: World): Backend {
  const { nodeName, hostname, subdomain } = pod.spec;
  const { name, namespace, uid } = pod.metadata;
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const zone = nodeName === undefined ? undefined : world.of(NODES).get(nodeName)?.metadata.labels?.[ZONE];
  return {
    address,
    ports: (service.spec.ports ?? []).flatMap((port) => portOf(port, pod)),
    ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating),
    serving,
    terminating,
    ...(hostname && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: {
      kind: 'Pod',
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

/** The pod's own port; none if it has none of that name. */
function portOf(port: ServicePort, pod: Pod): EndpointPort[] {
  const number = portNumber(port, pod);
  if (number === undefined) return [];
  const { appProtocol } = port;
  const protocol = port.protocol ?? 'TCP';
  return [{ name: port.name ?? '', port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
}

function portNumber(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const sidecars = (pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always');
  const ports = [...pod.spec.containers, ...sidecars].flatMap((one: Container) => one.ports ?? []);
  const protocol = port.protocol ?? 'TCP';
  return ports.find((one) => one.name === target && (one.protocol ?? 'TCP') === protocol)?.containerPort;
}
