/** The kind Service. */
import { SERVICE_COLUMNS } from '#spec/kinds/columns/service.ts';
import { portProblem } from '#spec/kinds/core/pod-validate.ts';
import {
  freeAddress,
  freeNodePort,
  isServiceAddress,
  isTakenAddress,
  NODE_PORT_FIRST,
  NODE_PORT_LAST,
  SERVICE_CIDR,
  takenNodePorts,
} from '#spec/kinds/core/service-address.ts';
import {
  ensureObject,
  type JsonObject,
  listAt,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  textAt,
} from '#spec/kinds/json.ts';
import {
  duplicate,
  type FieldError,
  fieldError,
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
  type World,
} from '#spec/kinds/kind.ts';
import { labelProblem } from '#spec/kinds/names.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

export const SERVICE: Kind = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  type: 'V1Service',
  names: 'label-1035',
  status: true,
  columns: SERVICE_COLUMNS,
  fields: {
    'spec.clusterIP': (service) => textAt(service, 'spec', 'clusterIP'),
    'spec.type': (service) => textAt(service, 'spec', 'type'),
    'polder.nodePorts': (service) => nodePortsOf(service).join(','),
  },
  defaults: defaults,
  prepareCreate: prepareCreate,
  prepareUpdate: prepareUpdate,
  validate: validate,
  validateUpdate: validateUpdate,
};

function nodePortsOf(service: KubeObject): number[] {
  const ports = objectsAt(service, 'spec', 'ports').map((port) => numberAt(port, 'nodePort') ?? 0);
  return ports.filter((port) => port > 0);
}

function hasNodePorts(spec: JsonObject): boolean {
  if (spec.type === 'NodePort') return true;
  return spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false;
}

function defaults(service: KubeObject): void {
  const spec = ensureObject(service, 'spec');
  setDefault(spec, 'type', 'ClusterIP');
  setDefault(spec, 'sessionAffinity', 'None');
  if (spec.sessionAffinity === 'ClientIP') {
    setDefault(ensureObject(ensureObject(spec, 'sessionAffinityConfig'), 'clientIP'), 'timeoutSeconds', 10800);
  }
  for (const port of objectsAt(spec, 'ports')) {
    setDefault(port, 'protocol', 'TCP');
    if (port.targetPort === undefined && typeof port.port === 'number') port.targetPort = port.port;
  }
  if (spec.type !== 'ExternalName') setDefault(spec, 'internalTrafficPolicy', 'Cluster');
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') setDefault(spec, 'externalTrafficPolicy', 'Cluster');
  if (spec.type === 'LoadBalancer') setDefault(spec, 'allocateLoadBalancerNodePorts', true);
}

function prepareCreate(service: KubeObject, world: World): readonly FieldError[] {
  service.status = { loadBalancer: {} };
  return [...giveAddress(service, undefined, world), ...giveNodePorts(service, new Set(), world)];
}

/** What an update leaves out of the allocated values is kept, as with `kubectl apply` and `replace`. */
function prepareUpdate(service: KubeObject, old: KubeObject, world: World): readonly FieldError[] {
  const before = objectsAt(old, 'spec', 'ports');
  for (const port of objectsAt(service, 'spec', 'ports')) {
    const same = before.find((one) => one.port === port.port && one.protocol === port.protocol);
    const kept = hasNodePorts(objectAt(service, 'spec')) ? same?.nodePort : undefined;
    if (port.nodePort === undefined && kept !== undefined) port.nodePort = kept;
  }
  const own = new Set(nodePortsOf(old).map(String));
  return [...giveAddress(service, old, world), ...giveNodePorts(service, own, world)];
}

function giveAddress(service: KubeObject, old: KubeObject | undefined, world: World): readonly FieldError[] {
  const spec = objectAt(service, 'spec');
  if (spec.type === 'ExternalName') return [];
  const before = textAt(old, 'spec', 'clusterIP');
  const asked = textAt(spec, 'clusterIP') || String(listAt(spec, 'clusterIPs')[0] ?? '') || before;
  const problem = asked === before ? undefined : addressProblem(asked, world);
  if (problem !== undefined) return [problem];
  const address = asked || freeAddress(world);
  if (address === undefined)
    return [
      fieldError(
        'FieldValueInvalid',
        'spec.clusterIP',
        `Internal error: failed to allocate a serviceIP: range ${SERVICE_CIDR} is full`,
      ),
    ];
  spec.clusterIP = address;
  spec.clusterIPs = [address];
  setDefault(spec, 'ipFamilies', ['IPv4']);
  setDefault(spec, 'ipFamilyPolicy', 'SingleStack');
  return [];
}

function addressProblem(asked: string, world: World): FieldError | undefined {
  if (asked === '' || asked === 'None') return undefined;
  if (!isServiceAddress(asked)) {
    const detail = `failed to allocate IP ${asked}: the provided IP is not in the valid range. The range of valid IPs is ${SERVICE_CIDR}`;
    return invalid('spec.clusterIPs', [asked], detail);
  }
  if (!isTakenAddress(asked, world)) return undefined;
  return invalid('spec.clusterIPs', [asked], `failed to allocate IP ${asked}: provided IP is already allocated`);
}

function giveNodePorts(service: KubeObject, own: ReadonlySet<string>, world: World): readonly FieldError[] {
  const spec = objectAt(service, 'spec');
  if (!hasNodePorts(spec)) return [];
  const taken = takenNodePorts(world);
  const errors: FieldError[] = [];
  for (const [index, port] of objectsAt(spec, 'ports').entries()) {
    const field = `spec.ports[${index}].nodePort`;
    const asked = numberAt(port, 'nodePort') ?? 0;
    if (asked === 0) port.nodePort = freeNodePort(taken, world) ?? 0;
    else if (asked < NODE_PORT_FIRST || asked > NODE_PORT_LAST) {
      errors.push(
        invalid(
          field,
          asked,
          `provided port is not in the valid range. The range of valid ports is ${NODE_PORT_FIRST}-${NODE_PORT_LAST}`,
        ),
      );
    } else if (taken.has(String(asked)) && !own.has(String(asked))) {
      errors.push(invalid(field, asked, 'provided port is already allocated'));
    }
    taken.add(String(port.nodePort));
  }
  return errors;
}

function validate(service: KubeObject): readonly FieldError[] {
  const spec = objectAt(service, 'spec');
  const errors: FieldError[] = [];
  const type = textAt(spec, 'type');
  if (!TYPES.includes(type)) errors.push(unsupported('spec.type', type, TYPES));
  if (type === 'ExternalName' && textAt(spec, 'externalName') === '') errors.push(required('spec.externalName'));
  const ports = objectsAt(spec, 'ports');
  if (ports.length === 0 && type !== 'ExternalName' && spec.clusterIP !== 'None') errors.push(required('spec.ports'));
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    errors.push(...validatePort(port, path, ports.length > 1));
    const name = textAt(port, 'name');
    if (name !== '' && names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
  }
  return errors;
}

function validatePort(port: JsonObject, path: string, named: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const name = textAt(port, 'name');
  const problem = name === '' ? undefined : labelProblem(name);
  if (named && name === '') errors.push(required(`${path}.name`));
  if (problem !== undefined) errors.push(invalid(`${path}.name`, name, problem));
  const number = portProblem(port.port);
  if (number !== undefined) errors.push(invalid(`${path}.port`, port.port ?? 0, number));
  const protocol = textAt(port, 'protocol');
  if (!PROTOCOLS.includes(protocol)) errors.push(unsupported(`${path}.protocol`, protocol, PROTOCOLS));
  if (typeof port.targetPort === 'number') {
    const target = portProblem(port.targetPort);
    if (target !== undefined) errors.push(invalid(`${path}.targetPort`, port.targetPort, target));
  }
  return errors;
}

function validateUpdate(service: KubeObject, old: KubeObject): readonly FieldError[] {
  const [before, after] = [textAt(old, 'spec', 'clusterIP'), textAt(service, 'spec', 'clusterIP')];
  if (before === '' || before === after || textAt(service, 'spec', 'type') === 'ExternalName') return [];
  return [invalid('spec.clusterIPs[0]', [after], 'may not change once set')];
}
