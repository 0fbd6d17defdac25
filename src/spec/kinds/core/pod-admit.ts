/** What Kubernetes' admission adds to a pod: its ServiceAccount with the token, its priority, its overhead (admission plugins ServiceAccount, Priority, RuntimeClass). */
import { at, ensureObject, type JsonObject, objectsAt, setDefault, textAt } from '#spec/kinds/json.ts';
import type { KubeObject, World } from '#spec/kinds/kind.ts';

const ACCOUNTS = 'serviceaccounts';
const DEFAULT_ACCOUNT = 'default';
const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const MIRROR = 'kubernetes.io/config.mirror';
const TOKEN_SECONDS = 3607;
const FILE_MODE = 0o644;
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** Classes that need not be made, and their values (Kubernetes "Pod Priority and Preemption"). */
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/** Completes the pod, or says why it may not be: the reason of a 403. Changes its first argument. */
export function admitPod(pod: KubeObject, world: World): string | undefined {
  const spec = ensureObject(pod, 'spec');
  return admitAccount(pod, spec, world) ?? admitPriority(spec, world) ?? admitRuntimeClass(spec, world);
}

function admitAccount(pod: KubeObject, spec: JsonObject, world: World): string | undefined {
  // A mirror of what a kubelet runs anyway has no account.
  if (at(pod, 'metadata', 'annotations', MIRROR) !== undefined) return undefined;
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

function admitPriority(spec: JsonObject, world: World): string | undefined {
  const name = textAt(spec, 'priorityClassName');
  const found = name === '' ? undefined : world.find('priorityclasses.scheduling.k8s.io', '', name);
  const value = name === '' ? 0 : (SYSTEM_CLASSES[name] ?? at(found, 'value'));
  if (value === undefined) return `no PriorityClass with name ${name} was found`;
  spec.priority = value;
  setDefault(spec, 'preemptionPolicy', textAt(found, 'preemptionPolicy') || 'PreemptLowerPriority');
  return undefined;
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
