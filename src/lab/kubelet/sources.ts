/** The objects that pods refer to: ConfigMaps and Secrets by name, Services for their environment, tokens. */

import type { ApiClient } from '#feed/client.ts';
import { listWatch, Reflector } from '#feed/reflector.ts';
import { CONFIG_MAPS, type PodContainer, type RunnablePod, SECRETS, type ServiceForEnv } from '#lab/kubelet/pod.ts';
import type { Resource } from '#spec/k8s.ts';

export type Bytes = Readonly<Record<string, Buffer>>;

const SERVICES: Resource<ServiceForEnv> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
};

/** Pods may start without the variables of Services if these cannot be read within this time, ms. */
const SERVICES_PATIENCE_MS = 2_000;

export interface PodSources {
  /** Undefined: there is no such object. */
  configMap(namespace: string, name: string): Promise<Bytes | undefined>;
  secret(namespace: string, name: string): Promise<Bytes | undefined>;
  /** Those whose variables a pod of the namespace gets. */
  services(namespace: string, enableLinks: boolean): Promise<readonly ServiceForEnv[]>;
  /** A token of the pod's ServiceAccount, bound to the pod. */
  token(pod: RunnablePod, audience: string | undefined, seconds: number): Promise<string>;
}

export class ApiSources implements PodSources {
  readonly #client: ApiClient;
  readonly #services: Reflector<ServiceForEnv>;
  readonly #tokens = new Map<string, { readonly token: string; readonly until: number }>();

  constructor(client: ApiClient) {
    this.#client = client;
    this.#services = new Reflector(listWatch(client, SERVICES));
  }

  /** Keeps Services up to date until the signal ends it. */
  run(signal: AbortSignal): Promise<void> {
    return this.#services.run(signal);
  }

  async configMap(namespace: string, name: string): Promise<Bytes | undefined> {
    const found = await this.#client.find(CONFIG_MAPS, { namespace, name });
    return found && { ...bytesOf(found.data, 'utf8'), ...bytesOf(found.binaryData, 'base64') };
  }

  async secret(namespace: string, name: string): Promise<Bytes | undefined> {
    const found = await this.#client.find(SECRETS, { namespace, name });
    return found && bytesOf(found.data, 'base64');
  }

  async services(namespace: string, enableLinks: boolean): Promise<readonly ServiceForEnv[]> {
    if (!this.#services.synced) await Promise.race([this.#services.whenSynced(), delay(SERVICES_PATIENCE_MS)]);
    return this.#services.store.values().filter(({ metadata }) => {
      if (metadata.namespace === 'default' && metadata.name === 'kubernetes') return true;
      return enableLinks && metadata.namespace === namespace;
    });
  }

  /** The same one for half of its life: volumes are looked at again and again. */
  async token(pod: RunnablePod, audience: string | undefined, seconds: number): Promise<string> {
    const key = `${pod.metadata.uid}/${audience ?? ''}`;
    const known = this.#tokens.get(key);
    if (known !== undefined && known.until > Date.now()) return known.token;
    const token = await this.#newToken(pod, audience, seconds);
    for (const [old, { until }] of this.#tokens) if (until < Date.now()) this.#tokens.delete(old);
    this.#tokens.set(key, { token, until: Date.now() + seconds * 500 });
    return token;
  }

  async #newToken(pod: RunnablePod, audience: string | undefined, seconds: number): Promise<string> {
    const { namespace, name, uid } = pod.metadata;
    const account = pod.spec.serviceAccountName ?? 'default';
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        ...(audience === undefined ? {} : { audiences: [audience] }),
        expirationSeconds: seconds,
        boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
      },
    };
    const answer = await this.#client.request<{ readonly status?: { readonly token?: string } }>('POST', path, {
      body,
    });
    if (answer.status?.token === undefined) throw new Error(`the API gave no token for ${namespace}/${account}`);
    return answer.status.token;
  }
}

function bytesOf(data: Readonly<Record<string, string>> | undefined, encoding: 'utf8' | 'base64'): Bytes {
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)]));
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** Names of the ConfigMaps and Secrets that a container's environment refers to. */
export function referencesOf(container: PodContainer): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef) configMaps.add(configMapRef.name ?? '');
    if (secretRef) secrets.add(secretRef.name ?? '');
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.configMapKeyRef) configMaps.add(valueFrom.configMapKeyRef.name ?? '');
    if (valueFrom?.secretKeyRef) secrets.add(valueFrom.secretKeyRef.name ?? '');
  }
  return { configMaps, secrets };
}
