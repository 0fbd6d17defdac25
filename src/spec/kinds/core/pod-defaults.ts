/** What Kubernetes fills into a pod's spec (`pkg/apis/core/v1/defaults.go`, API reference "Pod"). */
import { ensureObject, isObject, type JsonObject, objectAt, objectsAt, setDefault, textAt } from '#spec/kinds/json.ts';

/** `defaultMode` of files in volumes: 0644. */
const FILE_MODE = 0o644;
const FILE_VOLUMES = ['secret', 'configMap', 'projected', 'downwardAPI'];

/** Fills in a PodSpec, of a pod or of a template. */
export function defaultPodSpec(spec: JsonObject): void {
  setDefault(spec, 'restartPolicy', 'Always');
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'schedulerName', 'default-scheduler');
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'securityContext', {});
  defaultServiceAccount(spec);
  const hostNetwork = spec.hostNetwork === true;
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of objectsAt(spec, list)) defaultContainer(container, hostNetwork);
  }
  for (const volume of objectsAt(spec, 'volumes')) defaultVolume(volume);
}

/** `serviceAccount` is the old spelling of `serviceAccountName`; both are kept equal. */
function defaultServiceAccount(spec: JsonObject): void {
  const name = textAt(spec, 'serviceAccountName') || textAt(spec, 'serviceAccount');
  if (name === '') return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

function defaultContainer(container: JsonObject, hostNetwork: boolean): void {
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
  setDefault(container, 'imagePullPolicy', pullPolicyOf(textAt(container, 'image')));
  defaultResources(ensureObject(container, 'resources'));
  for (const port of objectsAt(container, 'ports')) defaultPort(port, hostNetwork);
  for (const variable of objectsAt(container, 'env')) defaultFieldRef(objectAt(variable, 'valueFrom'));
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[key];
    if (isObject(probe)) defaultProbe(probe);
  }
  for (const hook of ['postStart', 'preStop']) defaultHandler(objectAt(container, 'lifecycle', hook));
}

/** `Always` for images without a tag or tagged `latest`, else `IfNotPresent`. */
function pullPolicyOf(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** A limit without a request is also the request. */
function defaultResources(resources: JsonObject): void {
  const limits = resources.limits;
  if (!isObject(limits)) return;
  const requests = ensureObject(resources, 'requests');
  for (const [name, value] of Object.entries(limits)) setDefault(requests, name, value);
}

function defaultPort(port: JsonObject, hostNetwork: boolean): void {
  setDefault(port, 'protocol', 'TCP');
  if (hostNetwork && typeof port.containerPort === 'number') setDefault(port, 'hostPort', port.containerPort);
}

function defaultFieldRef(source: JsonObject): void {
  const ref = source.fieldRef;
  if (isObject(ref)) setDefault(ref, 'apiVersion', 'v1');
}

function defaultProbe(probe: JsonObject): void {
  setDefault(probe, 'timeoutSeconds', 1);
  setDefault(probe, 'periodSeconds', 10);
  setDefault(probe, 'successThreshold', 1);
  setDefault(probe, 'failureThreshold', 3);
  defaultHandler(probe);
  const grpc = probe.grpc;
  if (isObject(grpc)) setDefault(grpc, 'service', '');
}

function defaultHandler(handler: JsonObject): void {
  const http = handler.httpGet;
  if (!isObject(http)) return;
  setDefault(http, 'path', '/');
  setDefault(http, 'scheme', 'HTTP');
}

function defaultVolume(volume: JsonObject): void {
  if (Object.keys(volume).length === 1) volume.emptyDir = {};
  for (const key of FILE_VOLUMES) {
    const source = volume[key];
    if (isObject(source)) setDefault(source, 'defaultMode', FILE_MODE);
  }
  const hostPath = volume.hostPath;
  if (isObject(hostPath)) setDefault(hostPath, 'type', '');
  for (const item of objectsAt(volume, 'downwardAPI', 'items')) defaultFieldRef(item);
  for (const source of objectsAt(volume, 'projected', 'sources')) defaultProjection(source);
}

function defaultProjection(source: JsonObject): void {
  const token = source.serviceAccountToken;
  if (isObject(token)) setDefault(token, 'expirationSeconds', 3600);
  for (const item of objectsAt(source, 'downwardAPI', 'items')) defaultFieldRef(item);
}
