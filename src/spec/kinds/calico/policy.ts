/** Calico's kinds around policy. They are kept and checked; nothing acts on them yet. */
import {
  address,
  between,
  type Check,
  checkFields,
  each,
  fields,
  network,
  oneOf,
  selector,
} from '#spec/kinds/calico/check.ts';
import { calicoRows } from '#spec/kinds/calico/row.ts';
import { column } from '#spec/kinds/columns/common.ts';
import { at, ensureObject, isObject, type Json, listAt, objectAt, setDefault, textAt } from '#spec/kinds/json.ts';
import { type FieldError, forbidden, invalid, type KubeObject, required } from '#spec/kinds/kind.ts';

const PROTOCOLS = ['ICMP', 'ICMPv6', 'SCTP', 'TCP', 'UDP', 'UDPLite'];
const MOST_PORT = 65_535;

const protocol: Check = (value, field) =>
  typeof value === 'number' || /^\d+$/.test(String(value))
    ? between(1, 255)(Number(value), field)
    : oneOf(...PROTOCOLS)(value, field);

/** A port, a range `8000:8080`, or the name of a port of the pod. */
const port: Check = (value, field) => {
  const [, first, last = first] = /^(\d+)(?::(\d+))?$/.exec(String(value)) ?? [];
  if (first === undefined) {
    const named = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(String(value)) && !String(value).includes(':');
    return named ? [] : [invalid(field, value, 'must be a port, a range such as 8000:8080, or a name of a port')];
  }
  const fits = Number(first) <= Number(last) && Number(last) <= MOST_PORT;
  return fits ? [] : [invalid(field, value, 'must be a range within 0 and 65535, the lower port first')];
};

const entity: Check = fields({
  nets: each(network()),
  notNets: each(network()),
  selector,
  notSelector: selector,
  namespaceSelector: selector,
  ports: each(port),
  notPorts: each(port),
  serviceAccounts: fields({ selector }),
});

const icmp = fields({ type: between(0, 254), code: between(0, 255) });

const rule: Check = (value, field) => [
  ...fields(
    {
      action: oneOf('Allow', 'Deny', 'Log', 'Pass'),
      ipVersion: between(4, 6),
      protocol,
      notProtocol: protocol,
      icmp,
      notICMP: icmp,
      source: entity,
      destination: entity,
    },
    ['action'],
  )(value, field),
  ...portsNeedProtocol(value, field),
];

/** Only these protocols have ports. */
function portsNeedProtocol(value: Json, field: string): FieldError[] {
  const kind = String(at(value, 'protocol') ?? '').toUpperCase();
  if (['TCP', 'UDP', 'SCTP', 'UDPLITE', '6', '17', '132', '136'].includes(kind)) return [];
  return (['source', 'destination'] as const)
    .filter((side) => [...listAt(value, side, 'ports'), ...listAt(value, side, 'notPorts')].length > 0)
    .map((side) =>
      required(`${field}.protocol`, `rules that specify ports (${side}) must set protocol to TCP, UDP or SCTP`),
    );
}

/** As Calico does it: without types, what the rules say; never none. */
function defaults(policy: KubeObject): void {
  const spec = ensureObject(policy, 'spec');
  setDefault(spec, 'tier', 'default');
  if (listAt(spec, 'types').length > 0) return;
  const [ingress, egress] = [spec.ingress !== undefined, spec.egress !== undefined];
  spec.types = [...(ingress || !egress ? ['Ingress'] : []), ...(egress ? ['Egress'] : [])];
}

function validatePolicy(policy: KubeObject): FieldError[] {
  const spec = objectAt(policy, 'spec');
  const errors = checkFields(spec, 'spec', {
    selector,
    namespaceSelector: selector,
    serviceAccountSelector: selector,
    types: each(oneOf('Egress', 'Ingress')),
    ingress: each(rule),
    egress: each(rule),
  });
  if (spec.doNotTrack === true && spec.preDNAT === true)
    errors.push(forbidden('spec.preDNAT', 'PreDNAT and DoNotTrack cannot both be true'));
  if ((spec.doNotTrack === true || spec.preDNAT === true) && spec.applyOnForward !== true)
    errors.push(forbidden('spec.applyOnForward', 'must be true with preDNAT or doNotTrack'));
  if (spec.preDNAT === true && listAt(spec, 'types').includes('Egress'))
    errors.push(forbidden('spec.types', 'a preDNAT policy cannot have egress'));
  return errors;
}

const POLICY = {
  columns: [
    column('Tier', 'Tier of the policy.', (object) => textAt(object, 'spec', 'tier')),
    column('Order', 'Lower comes first.', (object) => String(at(object, 'spec', 'order') ?? '')),
  ],
  defaults,
  validate: validatePolicy,
} as const;

export const CALICO_NETWORK_POLICY = calicoRows({
  ...POLICY,
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  type: 'CalicoNetworkPolicy',
  namespaced: true,
});

export const GLOBAL_NETWORK_POLICY = calicoRows({
  ...POLICY,
  kind: 'GlobalNetworkPolicy',
  plural: 'globalnetworkpolicies',
  type: 'GlobalNetworkPolicy',
  shortNames: ['gnp'],
});

const nets = (object: KubeObject) => checkFields(objectAt(object, 'spec'), 'spec', { nets: each(network()) });

export const NETWORK_SET = calicoRows({
  kind: 'NetworkSet',
  plural: 'networksets',
  type: 'NetworkSet',
  shortNames: ['netsets'],
  namespaced: true,
  validate: nets,
});

export const GLOBAL_NETWORK_SET = calicoRows({
  kind: 'GlobalNetworkSet',
  plural: 'globalnetworksets',
  type: 'GlobalNetworkSet',
  shortNames: ['globalnetsets'],
  validate: nets,
});

export const HOST_ENDPOINT = calicoRows({
  kind: 'HostEndpoint',
  plural: 'hostendpoints',
  type: 'HostEndpoint',
  shortNames: ['hep', 'heps'],
  columns: [
    column('Node', 'Node that it is on.', (object) => textAt(object, 'spec', 'node')),
    column('Interface', 'Interface of the node.', (object) => textAt(object, 'spec', 'interfaceName')),
  ],
  validate: (object) => {
    const spec = objectAt(object, 'spec');
    const errors = checkFields(spec, 'spec', {
      expectedIPs: each(address),
      ports: each(fields({ protocol, port: between(1, MOST_PORT) }, ['name', 'protocol', 'port'])),
    });
    if (textAt(spec, 'node') === '') errors.push(required('spec.node'));
    if (textAt(spec, 'interfaceName') === '' && listAt(spec, 'expectedIPs').length === 0)
      errors.push(required('spec.interfaceName', 'at least one of interfaceName or expectedIPs'));
    return errors;
  },
});

export const TIER = calicoRows({
  kind: 'Tier',
  plural: 'tiers',
  type: 'Tier',
  columns: [
    column('Order', 'Lower comes first.', (object) => String(at(object, 'spec', 'order') ?? '')),
    column('DefaultAction', 'What befalls traffic that no policy of it decides on.', (object) =>
      textAt(object, 'spec', 'defaultAction'),
    ),
  ],
  defaults: (object) => setDefault(ensureObject(object, 'spec'), 'defaultAction', 'Deny'),
  validate: (object) => checkFields(objectAt(object, 'spec'), 'spec', { defaultAction: oneOf('Deny', 'Pass') }),
});

export const PROFILE = calicoRows({
  kind: 'Profile',
  plural: 'profiles',
  type: 'CalicoProfile',
  validate: (object) =>
    checkFields(isObject(object.spec) ? object.spec : {}, 'spec', { ingress: each(rule), egress: each(rule) }),
});
