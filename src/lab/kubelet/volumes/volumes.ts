/** A pod's volumes, made on the machine before its sandbox: each becomes a folder or file that containers bind. */

import { chmodSync, chownSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import type { DownwardItem, KeyToPath, ObjectProjection, RunnablePod, Volume, VolumeMount } from '#lab/kubelet/pod.ts';
import { ConfigError, fieldValue, type PodFacts, resourceValue } from '#lab/kubelet/runtime/env.ts';
import { expand } from '#lab/kubelet/runtime/expand.ts';
import type { Layout } from '#lab/kubelet/runtime/layout.ts';
import type { Bind } from '#lab/kubelet/runtime/oci-spec.ts';
import type { Bytes, PodSources } from '#lab/kubelet/sources.ts';
import { type Payload, writeAtomically } from '#lab/kubelet/volumes/atomic-writer.ts';
import { parseQuantity } from '#spec/quantity.ts';

/** Why a volume cannot be had now; it is tried again. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}

const DEFAULT_MODE = 0o644;
const TOKEN_SECONDS = 3607;

/** Where each volume lies, by name. @throws VolumeError */
export async function makeVolumes(
  layout: Layout,
  pod: RunnablePod,
  sources: PodSources,
  facts: PodFacts,
): Promise<Map<string, string>> {
  const made = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? [])
    made.set(volume.name, await makeVolume(layout, pod, volume, sources, facts));
  return made;
}

async function makeVolume(
  layout: Layout,
  pod: RunnablePod,
  volume: Volume,
  sources: PodSources,
  facts: PodFacts,
): Promise<string> {
  if (volume.hostPath !== undefined) return hostPath(volume.name, volume.hostPath);
  const path = layout.volume(pod.metadata.uid, volume.name);
  mkdirSync(path, { recursive: true });
  if (volume.emptyDir !== undefined) return emptyDir(path, pod);
  try {
    const payload = await payloadOf(pod, volume, sources, facts);
    if (payload === undefined) throw new Error(`volumes of type ${typeOf(volume)} are not supported by this kubelet`);
    writeAtomically(path, payload);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${why}`);
  }
  return path;
}

function typeOf(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
}

function emptyDir(path: string, pod: RunnablePod): string {
  chmodSync(path, 0o777);
  const group = pod.spec.securityContext?.fsGroup;
  if (group !== undefined) {
    chownSync(path, 0, group);
    chmodSync(path, 0o2777);
  }
  return path;
}

/** Kubernetes' hostPath types. @throws VolumeError */
function hostPath(name: string, { path, type = '' }: { readonly path: string; readonly type?: string }): string {
  if (type === 'DirectoryOrCreate') mkdirSync(path, { recursive: true });
  if (type === 'FileOrCreate' && !existsSync(path)) writeFileSync(path, '');
  if (type === '' && !existsSync(path)) mkdirSync(path, { recursive: true });
  const fails = (why: string) =>
    new VolumeError(`MountVolume.SetUp failed for volume "${name}" : hostPath type check failed: ${path} ${why}`);
  if (!existsSync(path)) throw fails('does not exist');
  if (type.startsWith('Directory') && !statSync(path).isDirectory()) throw fails('is not a directory');
  if (type.startsWith('File') && !statSync(path).isFile()) throw fails('is not a file');
  if (type === 'Socket' && !statSync(path).isSocket()) throw fails('is not a socket file');
  return path;
}

async function payloadOf(
  pod: RunnablePod,
  volume: Volume,
  sources: PodSources,
  facts: PodFacts,
): Promise<Payload | undefined> {
  const { namespace } = pod.metadata;
  if (volume.configMap) {
    const { name = '', defaultMode } = volume.configMap;
    return projected('configmap', name, await sources.configMap(namespace, name), volume.configMap, defaultMode);
  }
  if (volume.secret) {
    const { secretName = '', defaultMode } = volume.secret;
    return projected('secret', secretName, await sources.secret(namespace, secretName), volume.secret, defaultMode);
  }
  if (volume.downwardAPI) return downward(pod, volume.downwardAPI.items, volume.downwardAPI.defaultMode, facts);
  if (volume.projected) return projectedSources(pod, volume.projected, sources, facts);
  return undefined;
}

function projected(
  kind: string,
  name: string,
  data: Bytes | undefined,
  wanted: Pick<ObjectProjection, 'items' | 'optional'>,
  mode = DEFAULT_MODE,
): Payload {
  if (data === undefined && wanted.optional !== true) throw new Error(`${kind} "${name}" not found`);
  const items: readonly KeyToPath[] = wanted.items ?? Object.keys(data ?? {}).map((key) => ({ key, path: key }));
  const files = new Map<string, { bytes: Buffer; mode: number }>();
  for (const item of items) {
    const bytes = data?.[item.key];
    if (bytes !== undefined) files.set(item.path, { bytes, mode: item.mode ?? mode });
    else if (wanted.optional !== true) throw new Error(`references non-existent ${kind} key: ${item.key}`);
  }
  return files;
}

function downward(
  pod: RunnablePod,
  items: readonly DownwardItem[] = [],
  mode = DEFAULT_MODE,
  facts: PodFacts,
): Payload {
  return new Map(
    items.map((item) => {
      const text = item.fieldRef
        ? fieldValue(pod, item.fieldRef.fieldPath, facts)
        : resourceValue(pod, { name: '' }, item.resourceFieldRef ?? { resource: '' }, facts);
      return [item.path, { bytes: Buffer.from(text), mode: item.mode ?? mode }];
    }),
  );
}

async function projectedSources(
  pod: RunnablePod,
  volume: NonNullable<Volume['projected']>,
  sources: PodSources,
  facts: PodFacts,
): Promise<Payload> {
  const { namespace } = pod.metadata;
  const mode = volume.defaultMode ?? DEFAULT_MODE;
  const files = new Map<string, { bytes: Buffer; mode: number }>();
  const add = (payload: Payload) => {
    for (const [path, file] of payload) files.set(path, file);
  };
  for (const { configMap, secret, downwardAPI, serviceAccountToken } of volume.sources ?? []) {
    if (configMap) {
      const name = configMap.name ?? '';
      add(projected('configmap', name, await sources.configMap(namespace, name), configMap, mode));
    }
    if (secret) {
      const name = secret.name ?? '';
      add(projected('secret', name, await sources.secret(namespace, name), secret, mode));
    }
    if (downwardAPI) add(downward(pod, downwardAPI.items, mode, facts));
    if (serviceAccountToken) {
      const { path, audience, expirationSeconds = TOKEN_SECONDS } = serviceAccountToken;
      add(
        new Map([[path, { bytes: Buffer.from(await sources.token(pod, audience, expirationSeconds)), mode: 0o600 }]]),
      );
    }
  }
  return files;
}

/**
 * Binds of one container.
 * @param env what `subPathExpr` may name
 * @param seen where the kubelet sees a volume's path, if not there
 * @throws VolumeError for a volume that the pod does not have, or a subPath that leaves it
 * @throws ConfigError for a `subPathExpr` with a name that the environment lacks
 */
export function bindsOf(
  mounts: readonly VolumeMount[],
  volumes: ReadonlyMap<string, string>,
  env: ReadonlyMap<string, string> = new Map(),
  seen: (name: string, path: string) => string = (_, path) => path,
): Bind[] {
  return mounts.map((mount) => {
    const volume = volumes.get(mount.name);
    if (volume === undefined) throw new VolumeError(`no volume "${mount.name}" for the mount at ${mount.mountPath}`);
    const sub = mount.subPathExpr === undefined ? mount.subPath : expanded(mount.subPathExpr, env);
    const source = sub === undefined ? volume : subPath(volume, sub, (path) => seen(mount.name, path));
    return { source, target: mount.mountPath, readOnly: mount.readOnly === true };
  });
}

function expanded(text: string, env: ReadonlyMap<string, string>): string {
  const missing: string[] = [];
  const found = expand(text, (name) => {
    if (!env.has(name)) missing.push(name);
    return env.get(name);
  });
  if (missing.length === 0) return found;
  throw new ConfigError(`failed to expand subPath expression "${text}": missing value for "${missing[0]}"`);
}

function subPath(volume: string, sub: string, seen: (path: string) => string): string {
  const inside = normalize(sub);
  if (inside.startsWith('/') || inside.split('/').includes('..'))
    throw new VolumeError(`subPath "${sub}" leaves its volume`);
  const path = join(volume, inside);
  if (!existsSync(seen(path))) mkdirSync(seen(path), { recursive: true });
  return path;
}

export interface MemoryVolume {
  readonly name: string;
  /** Of mount(2). */
  readonly options: string;
}

/** Volumes that are to lie in memory: pause mounts them, so that all containers of the pod see the same ones. */
export function memoryVolumes(pod: RunnablePod): MemoryVolume[] {
  const group = pod.spec.securityContext?.fsGroup;
  const owner = group === undefined ? 'mode=0777' : `mode=2777,gid=${group}`;
  return (pod.spec.volumes ?? [])
    .filter(({ emptyDir }) => emptyDir?.medium === 'Memory')
    .map(({ name, emptyDir }) => {
      const limit = emptyDir?.sizeLimit;
      return { name, options: limit === undefined ? owner : `${owner},size=${Math.ceil(parseQuantity(limit))}` };
    });
}
