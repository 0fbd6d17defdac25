/**
 * Pods as the kubelet reads them: the fields that running a pod needs, beyond what the rest of Polder knows of one.
 * Names and meanings: Kubernetes API reference, core/v1.
 */

import type {
  Condition,
  ContainerPort,
  KubeObject,
  ObjectMeta,
  PodPhase,
  Quantities,
  Resource,
  Toleration,
} from '#spec/k8s.ts';

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string };
    readonly resourceFieldRef?: ResourceReference;
    readonly configMapKeyRef?: KeySelector;
    readonly secretKeyRef?: KeySelector;
  };
}

export interface ResourceReference {
  readonly containerName?: string;
  /** `limits.cpu`, `requests.memory`… */
  readonly resource: string;
  /** What the amount is counted in; 1 if not said. */
  readonly divisor?: string;
}

export interface KeySelector {
  readonly name?: string;
  readonly key: string;
  readonly optional?: boolean;
}

export interface EnvFrom {
  readonly prefix?: string;
  readonly configMapRef?: { readonly name?: string; readonly optional?: boolean };
  readonly secretRef?: { readonly name?: string; readonly optional?: boolean };
}

export interface HttpGet {
  readonly path?: string;
  readonly port: number | string;
  readonly host?: string;
  readonly scheme?: string;
  readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
}

/** A probe's or a hook's handler. */
export interface Handler {
  readonly exec?: { readonly command?: readonly string[] };
  readonly httpGet?: HttpGet;
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly sleep?: { readonly seconds: number };
  readonly grpc?: { readonly port: number; readonly service?: string };
}

export interface Probe extends Handler {
  readonly initialDelaySeconds?: number;
  readonly timeoutSeconds?: number;
  readonly periodSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
  readonly terminationGracePeriodSeconds?: number;
}

export interface SecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly privileged?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
  readonly subPath?: string;
  /** As `subPath`, with `$(NAME)` of the container's environment. */
  readonly subPathExpr?: string;
}

export interface PodContainer {
  readonly name: string;
  readonly image?: string;
  readonly imagePullPolicy?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly ports?: readonly ContainerPort[];
  readonly env?: readonly EnvVar[];
  readonly envFrom?: readonly EnvFrom[];
  readonly resources?: { readonly requests?: Quantities; readonly limits?: Quantities };
  readonly volumeMounts?: readonly VolumeMount[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly lifecycle?: { readonly postStart?: Handler; readonly preStop?: Handler };
  readonly securityContext?: SecurityContext;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  readonly terminationMessagePath?: string;
  readonly terminationMessagePolicy?: string;
  /** Of an init container: `Always` makes it a sidecar. */
  readonly restartPolicy?: string;
  /** Of an ephemeral container: whose processes it sees. */
  readonly targetContainerName?: string;
}

export interface KeyToPath {
  readonly key: string;
  readonly path: string;
  readonly mode?: number;
}

export interface ObjectProjection {
  readonly name?: string;
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
}

export interface DownwardItem {
  readonly path: string;
  readonly fieldRef?: { readonly fieldPath: string };
  readonly resourceFieldRef?: ResourceReference;
  readonly mode?: number;
}

export interface ProjectedSource {
  readonly configMap?: ObjectProjection;
  readonly secret?: ObjectProjection;
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[] };
  readonly serviceAccountToken?: {
    readonly path: string;
    readonly audience?: string;
    readonly expirationSeconds?: number;
  };
}

export interface Volume {
  readonly name: string;
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string };
  readonly hostPath?: { readonly path: string; readonly type?: string };
  readonly configMap?: ObjectProjection & { readonly defaultMode?: number };
  readonly secret?: Omit<ObjectProjection, 'name'> & { readonly secretName?: string; readonly defaultMode?: number };
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[]; readonly defaultMode?: number };
  readonly projected?: { readonly sources?: readonly ProjectedSource[]; readonly defaultMode?: number };
}

export interface RunnablePodSpec {
  readonly nodeName?: string;
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly shareProcessNamespace?: boolean;
  readonly restartPolicy?: string;
  readonly tolerations?: readonly Toleration[];
  readonly priorityClassName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly activeDeadlineSeconds?: number;
  readonly serviceAccountName?: string;
  readonly dnsPolicy?: string;
  readonly dnsConfig?: {
    readonly nameservers?: readonly string[];
    readonly searches?: readonly string[];
    readonly options?: readonly { readonly name?: string; readonly value?: string }[];
  };
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames?: readonly string[] }[];
  readonly enableServiceLinks?: boolean;
  readonly securityContext?: {
    readonly runAsUser?: number;
    readonly runAsGroup?: number;
    readonly runAsNonRoot?: boolean;
    readonly fsGroup?: number;
    readonly supplementalGroups?: readonly number[];
    readonly sysctls?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly readinessGates?: readonly { readonly conditionType: string }[];
  readonly volumes?: readonly Volume[];
  readonly initContainers?: readonly PodContainer[];
  readonly containers: readonly PodContainer[];
  /** Added to a pod that runs, to look into it (`kubectl debug`, KEP-277). */
  readonly ephemeralContainers?: readonly PodContainer[];
}

/** One of `waiting`, `running`, `terminated`. */
export interface ContainerStateStatus {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt: string };
  readonly terminated?: TerminatedStatus;
}

export interface TerminatedStatus {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly containerID?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly state: ContainerStateStatus;
  readonly lastState: ContainerStateStatus;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
  readonly image: string;
  readonly imageID: string;
  readonly containerID?: string;
}

export interface PodStatus {
  readonly phase?: PodPhase;
  readonly reason?: string;
  readonly message?: string;
  readonly conditions?: readonly Condition[];
  readonly hostIP?: string;
  readonly hostIPs?: readonly { readonly ip: string }[];
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly startTime?: string;
  readonly qosClass?: string;
  readonly containerStatuses?: readonly ContainerStatus[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
}

export interface NamedMeta extends ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export interface RunnablePod extends KubeObject {
  readonly metadata: NamedMeta;
  readonly spec: RunnablePodSpec;
  readonly status?: PodStatus;
}

export interface Secret extends KubeObject {
  /** base64. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface ConfigMapWithBinary extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  /** base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
}

export interface ServiceForEnv extends KubeObject {
  readonly spec?: {
    readonly clusterIP?: string;
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  };
}

const core = { group: '', version: 'v1', namespaced: true };
export const RUNNABLE_PODS: Resource<RunnablePod> = { ...core, kind: 'Pod', plural: 'pods' };
export const SECRETS: Resource<Secret> = { ...core, kind: 'Secret', plural: 'secrets' };
export const CONFIG_MAPS: Resource<ConfigMapWithBinary> = { ...core, kind: 'ConfigMap', plural: 'configmaps' };

/** Seconds from SIGTERM to SIGKILL where nobody says. */
export const DEFAULT_GRACE_SECONDS = 30;

export function isSidecar(container: PodContainer): boolean {
  return container.restartPolicy === 'Always';
}

export function isEphemeral(pod: RunnablePod, container: PodContainer): boolean {
  return pod.spec.ephemeralContainers?.some(({ name }) => name === container.name) === true;
}

/** All containers that a pod has or had, in the order in which they may start. */
export function allContainers({ spec }: RunnablePod): PodContainer[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

/** `Always`, `OnFailure` or `Never` as it holds for one container of the pod. */
export function restartPolicyOf(pod: RunnablePod, container: PodContainer, isInit: boolean): string {
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (isEphemeral(pod, container)) return 'Never';
  if (!isInit) return policy;
  if (isSidecar(container)) return 'Always';
  return policy === 'Never' ? 'Never' : 'OnFailure';
}

/** The name that the pod's processes see: its `hostname`, or its name cut to what Linux takes. */
export function hostnameOf(pod: RunnablePod): string {
  return (pod.spec.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]+$/, '');
}

export function podKey(pod: RunnablePod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}
