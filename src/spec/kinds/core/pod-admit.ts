/** What Kubernetes' admission adds to a pod (admission plugins ServiceAccount, Priority, DefaultTolerationSeconds, RuntimeClass). */
import { MIRROR } from '#spec/k8s.ts';
import { admitPriority } from '#spec/kinds/core/pod-priority.ts';
import { addDefaultTolerations } from '#spec/kinds/core/pod-tolerations.ts';
import { at, ensureObject, type JsonObject, objectsAt, setDefault, textAt } from '#spec/kinds/json.ts';
import type { KubeObject, World } from '#spec/kinds/kind.ts';

const ACCOUNTS = 'serviceaccounts';
const DEFAULT_ACCOUNT = 'default';
const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_SECONDS = 3607;
const FILE_MODE = 0o644;
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** Completes the pod, or says why it may not be: the reason of a 403. Changes its first argument. */
export function admitPod(pod: KubeObject, world: World): string | undefined {
  const spec = ensureObject(pod, 'spec');
  addDefaultTolerations(spec);
  return admitAccount(pod, spec, world) ?? admitPriority(spec, world) ?? admitRuntimeClass(spec, world);
}

function admitAccount(pod: KubeObject, spec: JsonObject, world: World): string | undefined {
  if (at(pod, 'metadata', 'annotations', MIRROR) !== undefined) return objectionToMirror(spec);
  setDefault(spec, 'serviceAccountName', DEFAULT_ACCOUNT);
  const name = textAt(spec, 'serviceAccountName');
  spec.serviceAccount = name;
  const namespace = textAt(pod, 'metadata', 'namespace');
  const account = world.find(ACCOUNTS, namespace, name);
  // The default one of a new namespace is made in a moment.
  if (account === undefined && name !== DEFAULT_ACCOUNT)
    return `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`;
  if (spec.imagePullSecrets === undefined && account?.imagePullSecrets !== undefined)
    spec.imagePullSecrets = account.imagePullSecrets;
  const automount = at(spec, 'automountServiceAccountToken') ?? at(account, 'automountServiceAccountToken');
  if (automount !== false) mountToken(spec, world);
  return undefined;
}

/** A mirror of what a kubelet runs anyway has no account, and nothing that an account would be needed for. */
function objectionToMirror(spec: JsonObject): string | undefined {
  if (textAt(spec, 'serviceAccountName') !== '') return 'a mirror pod may not reference service accounts';
  const volumes = objectsAt(spec, 'volumes');
  if (volumes.some((volume) => volume.secret !== undefined)) return 'a mirror pod may not reference secrets';
  const sources = volumes.flatMap((volume) => objectsAt(volume, 'projected', 'sources'));
  return sources.some((source) => source.serviceAccountToken !== undefined)
    ? 'a mirror pod may not use ServiceAccountToken volume projections'
    : undefined;
}

/** In every container that has nothing else there. */
function mountToken(spec: JsonObject, world: World): void {
  const containers = ['initContainers', 'containers'].flatMap((list) => objectsAt(spec, list));
  const open = containers.filter(
    (container) => !objectsAt(container, 'volumeMounts').some((mount) => mount.mountPath === TOKEN_FOLDER),
  );
  if (open.length === 0) return;
  const letters = Array.from({ length: 5 }, () => LETTERS[Math.floor(world.random() * LETTERS.length)]);
  const name = `kube-api-access-${letters.join('')}`;
  spec.volumes = [...objectsAt(spec, 'volumes'), tokenVolume(name)];
  for (const container of open) {
    const mount = { name, readOnly: true, mountPath: TOKEN_FOLDER };
    container.volumeMounts = [...objectsAt(container, 'volumeMounts'), mount];
  }
}

function tokenVolume(name: string): JsonObject {
  const fieldRef = { apiVersion: 'v1', fieldPath: 'metadata.namespace' };
  return {
    name,
    projected: {
      defaultMode: FILE_MODE,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef }] } },
      ],
    },
  };
}

/** Admission plugin RuntimeClass: a pod of an unknown class is rejected, and one of a known class has its overhead. */
function admitRuntimeClass(spec: JsonObject, world: World): string | undefined {
  const name = textAt(spec, 'runtimeClassName');
  if (name === '') return undefined;
  const found = world.find('runtimeclasses.node.k8s.io', '', name);
  if (found === undefined) return `pod rejected: RuntimeClass "${name}" not found`;
  const overhead = at(found, 'overhead', 'podFixed');
  if (overhead !== undefined) setDefault(spec, 'overhead', overhead);
  return undefined;
}
