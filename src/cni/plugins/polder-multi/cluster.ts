/** What the plugin asks of the API: the pod's annotations, definitions of networks, and where the status goes. */

import type { PluginCall } from '#cni/plugin.ts';
import { isPodWith } from '#cni/plugins/polder-multi/static-pod.ts';
import { ApiError, isBusy, isNotFound } from '#feed/api-error.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { PolderError } from '#spec/errors.ts';
import { type KubeObject, type ObjectKey, PODS, type Resource } from '#spec/k8s.ts';
import { optString } from '#wire/cni/json.ts';
import { STATUS_ANNOTATION } from '#wire/cni/network-selection.ts';

interface NetworkAttachmentDefinition extends KubeObject {
  readonly spec?: { readonly config?: string };
}

const NETWORKS: Resource<NetworkAttachmentDefinition> = {
  group: 'k8s.cni.cncf.io',
  version: 'v1',
  kind: 'NetworkAttachmentDefinition',
  plural: 'network-attachment-definitions',
  namespaced: true,
};

/** Well below the runtime's own deadline. */
const TIMEOUT_MS = 10_000;

export type Annotations = Readonly<Record<string, string>>;

/** Connects at the first question: most pods have none. */
export class Cluster implements Disposable {
  readonly #call: PluginCall;
  #client: ApiClient | undefined;

  constructor(call: PluginCall) {
    this.#call = call;
  }

  #api(): ApiClient {
    this.#client ??= new ApiClient(loadKubeconfig(kubeconfigOf(this.#call)), { timeoutMs: TIMEOUT_MS });
    return this.#client;
  }

  /**
   * @throws PolderError cni-try-later if the API does not answer, or cannot now, has no such pod (the mirror of a static pod may come after
   *   it), or knows another pod of this name
   */
  async annotations(pod: ObjectKey, uid: string | undefined): Promise<Annotations> {
    const { metadata } = await this.#pod(pod);
    if (uid !== undefined && !isPodWith(metadata, uid)) {
      throw new PolderError('cni-try-later', { what: `Pod ${pod.namespace}/${pod.name} is another one by now` });
    }
    return metadata.annotations ?? {};
  }

  async #pod(pod: ObjectKey): Promise<KubeObject> {
    try {
      return await this.#ask(() => this.#api().get(PODS, pod));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const what = `The API does not have Pod ${pod.namespace}/${pod.name}, which names its networks`;
      throw new PolderError('cni-try-later', { what }, { cause: error });
    }
  }

  /** The text of the definition; '' if it has none. @throws PolderError cni-config if there is no such definition. */
  async config(network: Required<ObjectKey>): Promise<string> {
    try {
      const definition = await this.#ask(() => this.#api().get(NETWORKS, network));
      return definition.spec?.config ?? '';
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const what = `there is no NetworkAttachmentDefinition ${network.namespace}/${network.name}`;
      throw new PolderError('cni-config', { what }, { cause: error });
    }
  }

  /** @param uid the only pod of this name that is to get it: another may have come meanwhile (409 Conflict) */
  async writeStatus(pod: ObjectKey, uid: string | undefined, status: string): Promise<void> {
    const metadata = { ...(uid !== undefined && { uid }), annotations: { [STATUS_ANNOTATION]: status } };
    await this.#ask(() => this.#api().patch(PODS, pod, { metadata }));
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      if (error instanceof PolderError || isNotFound(error)) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const refused = error instanceof ApiError && !isBusy(error);
      throw new PolderError(refused ? 'cni-config' : 'cni-try-later', { what: `The API: ${why}` }, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#client?.close();
  }
}

function kubeconfigOf({ conf, caller, host }: PluginCall): string {
  const named = optString(conf.raw, 'kubeconfig', '');
  const path = named === undefined ? host.kubeconfig : caller.seen(named);
  if (path !== undefined) return path;
  throw new PolderError('cni-config', { what: 'kubeconfig is missing: it leads to the definitions of networks' });
}
