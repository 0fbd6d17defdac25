/** What a PodSpec must hold (API reference "PodSpec"); the words are those that kubectl users know. */
import { readAddr } from '#net/addr.ts';
import { placementErrors } from '#spec/kinds/core/pod-placement.ts';
import { volumeErrors } from '#spec/kinds/core/pod-volumes.ts';
import {
  at,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  objectAt,
  objectsAt,
  textAt,
  textsAt,
} from '#spec/kinds/json.ts';
import { duplicate, type FieldError, forbidden, invalid, required, unsupported } from '#spec/kinds/kind.ts';
import { envNameProblem, labelProblem, portNameProblem, subdomainProblem } from '#spec/kinds/names.ts';
import { isQuantity, QUANTITY_RULE, readQuantity } from '#spec/quantity.ts';

const RESTART = ['Always', 'OnFailure', 'Never'];
const DNS = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const PULL = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc'];
const HOOKS = ['exec', 'httpGet', 'tcpSocket', 'sleep'];
const ENV_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'];
/** Fields of a pod that a variable may hold (Kubernetes "Downward API"). */
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const ENV_FIELD_KEY = /^metadata\.(labels|annotations)\['[^']+'\]$/;
const ADDRESS_RULE = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const MAX_INT32 = 2147483647;

/** The faults of a PodSpec, with paths that begin with `path`. */
export function validatePodSpec(spec: JsonObject, path: string): FieldError[] {
  const volumes = objectsAt(spec, 'volumes').map((volume) => textAt(volume, 'name'));
  const errors = [
    ...uniqueNames(objectsAt(spec, 'volumes'), `${path}.volumes`, labelProblem),
    ...oneOf(spec, 'restartPolicy', RESTART, path),
    ...oneOf(spec, 'dnsPolicy', DNS, path),
    ...dnsConfig(spec, path),
    ...optionalName(spec, 'hostname', labelProblem, path),
    ...optionalName(spec, 'subdomain', labelProblem, path),
    ...optionalName(spec, 'nodeName', subdomainProblem, path),
    ...grace(spec, path),
    ...deadline(spec, path),
    ...hostAliases(spec, path),
    ...volumeErrors(spec, path),
    ...placementErrors(spec, path),
  ];
  const containers = objectsAt(spec, 'containers');
  if (containers.length === 0) errors.push(required(`${path}.containers`));
  const inits = objectsAt(spec, 'initContainers');
  errors.push(...uniqueNames(containers, `${path}.containers`, labelProblem));
  errors.push(...uniqueNames(inits, `${path}.initContainers`, labelProblem));
  errors.push(...namesOfOthers(inits, containers, `${path}.initContainers`), ...hostPorts(spec, path));
  errors.push(...each(spec, 'containers', path, (one, field) => container(one, field, volumes)));
  errors.push(...each(spec, 'initContainers', path, (one, field) => container(one, field, volumes)));
  return errors;
}

/** The faults of each object of a list, with its path. */
function each(
  value: JsonObject,
  list: string,
  path: string,
  check: (item: JsonObject, path: string) => FieldError[],
): FieldError[] {
  return objectsAt(value, list).flatMap((item, index) => check(item, `${path}.${list}[${index}]`));
}

function uniqueNames(
  items: readonly JsonObject[],
  path: string,
  problemOf: (name: string) => string | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const field = `${path}[${index}].name`;
    const name = textAt(item, 'name');
    const problem = name === '' ? undefined : problemOf(name);
    if (name === '') errors.push(required(field));
    else if (problem !== undefined) errors.push(invalid(field, name, problem));
    else if (seen.has(name)) errors.push(duplicate(field, name));
    seen.add(name);
  }
  return errors;
}

function oneOf(value: JsonObject, key: string, allowed: readonly string[], path: string): FieldError[] {
  const text = textAt(value, key);
  if (text === '' && value[key] === undefined) return [];
  return allowed.includes(text) ? [] : [unsupported(`${path}.${key}`, text, allowed)];
}

function optionalName(
  value: JsonObject,
  key: string,
  problemOf: (name: string) => string | undefined,
  path: string,
): FieldError[] {
  const name = textAt(value, key);
  const problem = name === '' ? undefined : problemOf(name);
  return problem === undefined ? [] : [invalid(`${path}.${key}`, name, problem)];
}

function dnsConfig(spec: JsonObject, path: string): FieldError[] {
  if (textAt(spec, 'dnsPolicy') !== 'None') return [];
  if (textsAt(spec, 'dnsConfig', 'nameservers').length > 0) return [];
  return [
    required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
  ];
}

function grace(spec: JsonObject, path: string): FieldError[] {
  const seconds = spec.terminationGracePeriodSeconds;
  if (typeof seconds !== 'number' || seconds >= 0) return [];
  return [invalid(`${path}.terminationGracePeriodSeconds`, seconds, 'must be greater than or equal to 0')];
}

/** A pod's containers have one set of names. */
function namesOfOthers(inits: readonly JsonObject[], others: readonly JsonObject[], path: string): FieldError[] {
  const names = new Set(others.map((one) => textAt(one, 'name')));
  return inits.flatMap((one, index) => {
    const name = textAt(one, 'name');
    return names.has(name) && name !== '' ? [duplicate(`${path}[${index}].name`, name)] : [];
  });
}

function deadline(spec: JsonObject, path: string): FieldError[] {
  const seconds = spec.activeDeadlineSeconds;
  if (typeof seconds !== 'number' || (seconds >= 1 && seconds <= MAX_INT32)) return [];
  return [invalid(`${path}.activeDeadlineSeconds`, seconds, `must be between 1 and ${MAX_INT32}, inclusive`)];
}

function hostAliases(spec: JsonObject, path: string): FieldError[] {
  return each(spec, 'hostAliases', path, (alias, field) => {
    const ip = textAt(alias, 'ip');
    return readAddr(ip) === undefined ? [invalid(`${field}.ip`, ip, ADDRESS_RULE)] : [];
  });
}

/** In the node's own network a port is the node's. */
function hostPorts(spec: JsonObject, path: string): FieldError[] {
  if (spec.hostNetwork !== true) return [];
  return each(spec, 'containers', path, (one, field) =>
    each(one, 'ports', field, (port, place) =>
      port.hostPort === undefined || port.hostPort === port.containerPort
        ? []
        : [
            invalid(
              `${place}.containerPort`,
              port.containerPort ?? 0,
              'must match `hostPort` when `hostNetwork` is true',
            ),
          ],
    ),
  );
}

function container(one: JsonObject, path: string, volumes: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  const image = textAt(one, 'image');
  if (image === '') errors.push(required(`${path}.image`));
  else if (image !== image.trim())
    errors.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  errors.push(...oneOf(one, 'imagePullPolicy', PULL, path));
  errors.push(...each(one, 'ports', path, containerPort), ...each(one, 'env', path, variable));
  errors.push(...mounts(one, path, volumes), ...resources(objectAt(one, 'resources'), `${path}.resources`));
  for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = one[key];
    if (isObject(probe)) errors.push(...validateProbe(probe, `${path}.${key}`));
  }
  for (const key of ['postStart', 'preStop']) {
    const hook = at(one, 'lifecycle', key);
    if (isObject(hook)) errors.push(...handlerErrors(hook, `${path}.lifecycle.${key}`, HOOKS));
  }
  return [...errors, ...securityErrors(objectAt(one, 'securityContext'), `${path}.securityContext`)];
}

function securityErrors(context: JsonObject, path: string): FieldError[] {
  const errors = ['runAsUser', 'runAsGroup'].flatMap((key) => {
    const id = context[key];
    if (typeof id !== 'number' || (id >= 0 && id <= MAX_INT32)) return [];
    return [invalid(`${path}.${key}`, id, `must be between 0 and ${MAX_INT32}, inclusive`)];
  });
  if (context.privileged !== true || context.allowPrivilegeEscalation !== false) return errors;
  const why = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
  return [...errors, invalid(path, context, why)];
}

export function portProblem(value: Json | undefined): string | undefined {
  const ok = typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
  return ok ? undefined : 'must be between 1 and 65535, inclusive';
}

function containerPort(port: JsonObject, path: string): FieldError[] {
  const errors = oneOf(port, 'protocol', PROTOCOLS, path);
  if (port.containerPort === undefined) errors.push(required(`${path}.containerPort`));
  for (const key of ['containerPort', 'hostPort']) {
    const value = port[key];
    const problem = value === undefined ? undefined : portProblem(value);
    if (value !== undefined && problem !== undefined) errors.push(invalid(`${path}.${key}`, value, problem));
  }
  return [...errors, ...optionalName(port, 'name', portNameProblem, path)];
}

function variable(item: JsonObject, path: string): FieldError[] {
  const name = textAt(item, 'name');
  if (name === '') return [required(`${path}.name`)];
  const problem = envNameProblem(name);
  const errors = problem === undefined ? [] : [invalid(`${path}.name`, name, problem)];
  return isObject(item.valueFrom) ? [...errors, ...valueFrom(item, item.valueFrom, `${path}.valueFrom`)] : errors;
}

function valueFrom(item: JsonObject, source: JsonObject, path: string): FieldError[] {
  const used = ENV_SOURCES.filter((key) => isObject(source[key]));
  if (used.length === 0)
    return [invalid(path, '', `must specify one of: ${ENV_SOURCES.map((key) => `\`${key}\``).join(', ')}`)];
  if (used.length > 1) return [invalid(path, '', 'may not have more than one field specified at a time')];
  if (textAt(item, 'value') !== '') return [invalid(path, '', 'may not be specified when `value` is not empty')];
  const field = textAt(source, 'fieldRef', 'fieldPath');
  if (used[0] !== 'fieldRef' || ENV_FIELDS.includes(field) || ENV_FIELD_KEY.test(field)) return [];
  return [unsupported(`${path}.fieldRef.fieldPath`, field, ENV_FIELDS)];
}

function mounts(one: JsonObject, path: string, volumes: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, mount] of objectsAt(one, 'volumeMounts').entries()) {
    const field = `${path}.volumeMounts[${index}]`;
    const [name, target] = [textAt(mount, 'name'), textAt(mount, 'mountPath')];
    if (name === '') errors.push(required(`${field}.name`));
    else if (!volumes.includes(name))
      errors.push({
        reason: 'FieldValueInvalid',
        field: `${field}.name`,
        message: `Not found: ${JSON.stringify(name)}`,
      });
    if (target === '') errors.push(required(`${field}.mountPath`));
    else if (seen.has(target)) errors.push(invalid(`${field}.mountPath`, target, 'must be unique'));
    seen.add(target);
  }
  return errors;
}

function resources(value: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const part of ['limits', 'requests']) {
    for (const [name, amount] of Object.entries(objectAt(value, part))) {
      if (typeof amount === 'string' && amount.startsWith('-')) {
        errors.push(invalid(`${path}.${part}[${name}]`, amount, 'must be greater than or equal to 0'));
      } else if (typeof amount !== 'string' || !isQuantity(amount)) {
        errors.push(invalid(`${path}.${part}[${name}]`, amount, QUANTITY_RULE));
      }
    }
  }
  return [...errors, ...requestsAboveLimits(value, path)];
}

function requestsAboveLimits(value: JsonObject, path: string): FieldError[] {
  return Object.entries(objectAt(value, 'requests')).flatMap(([name, request]) => {
    const limit = textAt(value, 'limits', name);
    if (limit === '' || (readQuantity(String(request)) ?? 0) <= (readQuantity(limit) ?? 0)) return [];
    return [invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`)];
  });
}

/** One handler, and no more. */
function handlerErrors(one: JsonObject, path: string, kinds: readonly string[]): FieldError[] {
  const [first, ...more] = kinds.filter((key) => isObject(one[key]));
  if (first === undefined) return [required(path, 'must specify a handler type')];
  return more.map((key) => forbidden(`${path}.${key}`, 'may not specify more than 1 handler type'));
}

function validateProbe(probe: JsonObject, path: string): FieldError[] {
  const errors = handlerErrors(probe, path, HANDLERS);
  for (const key of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ]) {
    const value = probe[key];
    if (typeof value === 'number' && value < 0)
      errors.push(invalid(`${path}.${key}`, value, 'must be greater than or equal to 0'));
  }
  if (isObject(probe.exec) && listAt(probe, 'exec', 'command').length === 0)
    errors.push(required(`${path}.exec.command`));
  for (const key of ['httpGet', 'tcpSocket']) {
    const handler = probe[key];
    if (isObject(handler)) errors.push(...handlerPort(handler, `${path}.${key}`));
  }
  return errors;
}

function handlerPort(handler: JsonObject, path: string): FieldError[] {
  const port = handler.port;
  if (port === undefined) return [required(`${path}.port`)];
  const problem = typeof port === 'string' ? portNameProblem(port) : portProblem(port);
  return problem === undefined ? [] : [invalid(`${path}.port`, port, problem)];
}
