/** A container's environment, from values that have already been fetched. */

import type {
  EnvVar,
  KeySelector,
  PodContainer,
  ResourceReference,
  RunnablePod,
  ServiceForEnv,
} from '#lab/kubelet/pod.ts';
import { expand } from '#lab/kubelet/runtime/expand.ts';
import { parseQuantity } from '#spec/quantity.ts';

/** What the environment may refer to. */
export interface EnvSources {
  /** Data of a ConfigMap of the pod's namespace; undefined if there is none. */
  configMap(name: string): Readonly<Record<string, string>> | undefined;
  /** Data of a Secret, decoded. */
  secret(name: string): Readonly<Record<string, string>> | undefined;
  /** Services whose addresses stand in the environment (those of the namespace, and `kubernetes`). */
  readonly services: readonly ServiceForEnv[];
  readonly facts: PodFacts;
}

/** What is known of a pod only once it runs. */
export interface PodFacts {
  readonly podIps: readonly string[];
  readonly hostIp: string;
  readonly nodeName: string;
  /** Of the node, for limits that nobody set: cores and bytes. */
  readonly cpus: number;
  readonly memory: number;
}

/** A reference that leads nowhere: the container waits with reason CreateContainerConfigError. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/** In Kubernetes' order: image, services, envFrom, env; later ones win. @throws ConfigError */
export function environmentOf(
  pod: RunnablePod,
  container: PodContainer,
  imageEnv: Readonly<Record<string, string>>,
  sources: EnvSources,
): Map<string, string> {
  const env = new Map(Object.entries(imageEnv));
  env.set('HOSTNAME', pod.spec.hostNetwork === true ? sources.facts.nodeName : hostnameText(pod));
  if (container.tty === true) env.set('TERM', 'xterm');
  for (const service of sources.services) addService(env, service);
  for (const [name, value] of fromMaps(container, sources)) env.set(name, value);
  for (const entry of container.env ?? []) {
    const value = entryValue(pod, container, entry, env, sources);
    if (value !== undefined) env.set(entry.name, value);
  }
  return env;
}

function hostnameText(pod: RunnablePod): string {
  return pod.spec.hostname ?? pod.metadata.name;
}

function* fromMaps(container: PodContainer, sources: EnvSources): Generator<[string, string]> {
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const data =
      configMapRef !== undefined
        ? present(sources.configMap(configMapRef.name ?? ''), 'configmap', configMapRef)
        : secretRef !== undefined
          ? present(sources.secret(secretRef.name ?? ''), 'secret', secretRef)
          : {};
    for (const [key, value] of Object.entries(data)) if (ENV_NAME.test(prefix + key)) yield [prefix + key, value];
  }
}

function present(
  data: Readonly<Record<string, string>> | undefined,
  kind: string,
  reference: { readonly name?: string; readonly optional?: boolean },
): Readonly<Record<string, string>> {
  if (data !== undefined) return data;
  if (reference.optional === true) return {};
  throw new ConfigError(`${kind} "${reference.name ?? ''}" not found`);
}

function entryValue(
  pod: RunnablePod,
  container: PodContainer,
  entry: EnvVar,
  env: ReadonlyMap<string, string>,
  sources: EnvSources,
): string | undefined {
  const from = entry.valueFrom;
  if (from === undefined) return expand(entry.value ?? '', (name) => env.get(name));
  if (from.fieldRef !== undefined) return fieldValue(pod, from.fieldRef.fieldPath, sources.facts);
  if (from.resourceFieldRef !== undefined) return resourceValue(pod, container, from.resourceFieldRef, sources.facts);
  if (from.configMapKeyRef !== undefined) {
    return keyValue('configmap', sources.configMap(from.configMapKeyRef.name ?? ''), from.configMapKeyRef, pod);
  }
  if (from.secretKeyRef !== undefined) {
    return keyValue('secret', sources.secret(from.secretKeyRef.name ?? ''), from.secretKeyRef, pod);
  }
  return '';
}

function keyValue(
  kind: string,
  data: Readonly<Record<string, string>> | undefined,
  selector: KeySelector,
  pod: RunnablePod,
): string | undefined {
  const value = data?.[selector.key];
  if (value !== undefined || selector.optional === true) return value;
  if (data === undefined) throw new ConfigError(`${kind} "${selector.name ?? ''}" not found`);
  const title = kind === 'secret' ? 'Secret' : 'ConfigMap';
  throw new ConfigError(
    `couldn't find key ${selector.key} in ${title} ${pod.metadata.namespace}/${selector.name ?? ''}`,
  );
}

/** A field of the pod as the downward API gives it. @throws ConfigError */
export function fieldValue(pod: RunnablePod, path: string, facts: PodFacts): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata[keyed[1] === 'labels' ? 'labels' : 'annotations']?.[keyed[2] ?? ''] ?? '';
  const fields: Readonly<Record<string, () => string>> = {
    'metadata.name': () => pod.metadata.name,
    'metadata.namespace': () => pod.metadata.namespace,
    'metadata.uid': () => pod.metadata.uid,
    'metadata.labels': () => mapText(pod.metadata.labels),
    'metadata.annotations': () => mapText(pod.metadata.annotations),
    'spec.nodeName': () => facts.nodeName,
    'spec.serviceAccountName': () => pod.spec.serviceAccountName ?? 'default',
    'status.hostIP': () => facts.hostIp,
    'status.hostIPs': () => facts.hostIp,
    'status.podIP': () => facts.podIps[0] ?? '',
    'status.podIPs': () => facts.podIps.join(','),
  };
  const field = fields[path];
  if (field === undefined) throw new ConfigError(`unsupported fieldPath: ${path}`);
  return field();
}

/** `key="value"` lines, sorted, as files of the downward API hold labels. */
function mapText(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

/** Limits and requests: cores rounded up, bytes. */
export function resourceValue(
  pod: RunnablePod,
  container: PodContainer,
  reference: ResourceReference,
  facts: PodFacts,
): string {
  const of = pod.spec.containers.find((c) => c.name === reference.containerName) ?? container;
  const [side, name = ''] = reference.resource.split('.');
  const fallback = name === 'cpu' ? facts.cpus : name === 'memory' ? facts.memory : 0;
  const quantity = (side === 'limits' ? of.resources?.limits : of.resources?.requests)?.[name];
  const amount = quantity === undefined ? (side === 'limits' ? fallback : 0) : parseQuantity(quantity);
  return String(Math.ceil(amount / divisorOf(reference)));
}

function divisorOf({ divisor }: ResourceReference): number {
  return (divisor === undefined ? 0 : parseQuantity(`${divisor}`)) || 1;
}

/** The variables of Docker's links, which Kubernetes still sets for each Service that existed before the pod. */
function addService(env: Map<string, string>, service: ServiceForEnv): void {
  const ip = service.spec?.clusterIP;
  const ports = service.spec?.ports ?? [];
  const first = ports[0];
  if (ip === undefined || ip === '' || ip === 'None' || first === undefined) return;
  const name = (service.metadata.name ?? '').toUpperCase().replaceAll('-', '_');
  env.set(`${name}_SERVICE_HOST`, ip);
  env.set(`${name}_SERVICE_PORT`, String(first.port));
  for (const port of ports) {
    if (port.name) env.set(`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
  }
  env.set(`${name}_PORT`, linkText(ip, first));
  for (const port of ports) {
    const prefix = `${name}_PORT_${port.port}_${(port.protocol ?? 'TCP').toUpperCase()}`;
    env.set(prefix, linkText(ip, port));
    env.set(`${prefix}_PROTO`, (port.protocol ?? 'TCP').toLowerCase());
    env.set(`${prefix}_PORT`, String(port.port));
    env.set(`${prefix}_ADDR`, ip);
  }
}

function linkText(ip: string, port: { readonly port: number; readonly protocol?: string }): string {
  const host = ip.includes(':') ? `[${ip}]` : ip;
  return `${(port.protocol ?? 'TCP').toLowerCase()}://${host}:${port.port}`;
}
