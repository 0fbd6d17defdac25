/** Which cluster's addresses: a lab's, or any by its kubeconfig. */

import { existsSync } from 'node:fs';
import type { ClusterOptions } from '#cli/ipam/options.ts';
import { ApiUnreachable } from '#feed/api-error.ts';
import { ApiClient } from '#feed/client.ts';
import { loadKubeconfig } from '#feed/kubeconfig.ts';
import { checkName, labPaths } from '#lab/names.ts';
import { PolderError } from '#spec/errors.ts';

/**
 * Runs `use` with a client of the cluster.
 * @throws PolderError no-lab, file-invalid, api-unreachable, and what `use` throws
 */
export async function withCluster<T>(options: ClusterOptions, use: (client: ApiClient) => Promise<T>): Promise<T> {
  using client = new ApiClient(loadKubeconfig(pathOf(options)));
  try {
    return await use(client);
  } catch (error) {
    if (!(error instanceof ApiUnreachable)) throw error;
    throw new PolderError('api-unreachable', { reason: error.message }, { cause: error });
  }
}

function pathOf({ name, kubeconfig }: ClusterOptions): string {
  if (kubeconfig !== undefined) return kubeconfig;
  const path = labPaths(checkName('lab', name)).kubeconfig;
  if (!existsSync(path)) throw new PolderError('no-lab', { lab: name });
  return path;
}
