/** Kinds that not every cluster has: where a list is not found, there are none. */

import { ApiError, isNotFound } from '#feed/api-error.ts';
import type { ApiClient } from '#feed/client.ts';
import { type Clock, systemClock } from '#feed/clock.ts';
import type { ListWatch } from '#feed/reflector.ts';
import type { KubeObject, Resource } from '#spec/k8s.ts';

/** Asked again after this long, ms: somebody may install the kind. */
const AGAIN_MS = 60_000;

export function ifServed<T extends KubeObject>(source: ListWatch<T>, clock: Clock = systemClock): ListWatch<T> {
  let served = true;
  return {
    name: source.name,
    async list(signal) {
      try {
        const list = await source.list(signal);
        served = true;
        return list;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        served = false;
        return { metadata: { resourceVersion: '0' }, items: [] };
      }
    },
    async *watch(resourceVersion, signal) {
      if (served) {
        yield* source.watch(resourceVersion, signal);
        return;
      }
      await clock.sleep(AGAIN_MS, signal);
      // As if the version were too old: the list is asked for anew.
      if (!signal.aborted) throw new ApiError(source.name, { kind: 'Status', code: 410, reason: 'Expired' });
    },
  };
}

/**
 * What may not be read counts as not there, until it could be read once: then the last value stays.
 * @param told whether it is forbidden, at each list
 */
export function ifAllowed<T extends KubeObject>(
  source: ListWatch<T>,
  told: (forbidden: boolean) => void = () => {},
): ListWatch<T> {
  let seen = false;
  const asNotFound: ListWatch<T> = {
    name: source.name,
    watch: source.watch.bind(source),
    async list(signal) {
      try {
        const list = await source.list(signal);
        seen = true;
        told(false);
        return list;
      } catch (error) {
        const forbidden = error instanceof ApiError && error.code === 403;
        if (!forbidden || seen) throw error;
        told(true);
        throw new ApiError(source.name, { kind: 'Status', code: 404, reason: 'NotFound' });
      }
    },
  };
  return ifServed(asNotFound);
}

/** All objects of a kind; none where the kind is not served. @throws ApiError, ApiUnreachable */
export async function listIfServed<T extends KubeObject>(
  client: ApiClient,
  resource: Resource<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  try {
    return (await client.list(resource, { signal })).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
