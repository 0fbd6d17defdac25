/** Kinds of the group networking.k8s.io. */
import { needs } from '#spec/kinds/apps.ts';
import { INGRESS_CLASS_COLUMNS, INGRESS_COLUMNS, NETWORK_POLICY_COLUMNS } from '#spec/kinds/columns/network.ts';
import {
  ensureObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  setDefault,
  textAt,
  textsAt,
} from '#spec/kinds/json.ts';
import { type FieldError, invalid, type Kind, type KubeObject, required, unsupported } from '#spec/kinds/kind.ts';

const NETWORKING = { group: 'networking.k8s.io', version: 'v1', names: 'subdomain', generation: true } as const;
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const POLICY_TYPES = ['Egress', 'Ingress'];
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];

export const NETWORK_POLICY: Kind = {
  ...NETWORKING,
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  singular: 'networkpolicy',
  shortNames: ['netpol'],
  namespaced: true,
  type: 'V1NetworkPolicy',
  columns: NETWORK_POLICY_COLUMNS,
  defaults: (policy) => {
    const spec = ensureObject(policy, 'spec');
    ensureObject(spec, 'podSelector');
    const egress = objectsAt(spec, 'egress');
    if (textsAt(spec, 'policyTypes').length === 0)
      spec.policyTypes = egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    for (const rule of [...objectsAt(spec, 'ingress'), ...egress]) {
      for (const port of objectsAt(rule, 'ports')) setDefault(port, 'protocol', 'TCP');
    }
  },
  validate: (policy) => {
    const types = textsAt(policy, 'spec', 'policyTypes').filter((type) => !POLICY_TYPES.includes(type));
    return [
      ...types.map((type) => unsupported('spec.policyTypes', type, POLICY_TYPES)),
      ...validateRules(policy, 'ingress', 'from'),
      ...validateRules(policy, 'egress', 'to'),
    ];
  },
};

function validateRules(policy: KubeObject, list: 'ingress' | 'egress', peers: 'from' | 'to'): FieldError[] {
  return objectsAt(policy, 'spec', list).flatMap((rule, index) => {
    const path = `spec.${list}[${index}]`;
    return [
      ...objectsAt(rule, 'ports').flatMap((port, at) => validatePort(port, `${path}.ports[${at}]`)),
      ...objectsAt(rule, peers).flatMap((peer, at) => validatePeer(peer, `${path}.${peers}[${at}]`)),
    ];
  });
}

function validatePort(port: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!PROTOCOLS.includes(textAt(port, 'protocol')))
    errors.push(unsupported(`${path}.protocol`, textAt(port, 'protocol'), PROTOCOLS));
  const [first, last] = [numberAt(port, 'port'), numberAt(port, 'endPort')];
  if (first !== undefined && (first < 1 || first > 65535))
    errors.push(invalid(`${path}.port`, first, 'must be between 1 and 65535, inclusive'));
  if (last === undefined) return errors;
  if (first === undefined) errors.push(required(`${path}.port`, 'must be specified when endPort is'));
  else if (last < first || last > 65535)
    errors.push(invalid(`${path}.endPort`, last, 'must be greater than or equal to `port`'));
  return errors;
}

function validatePeer(peer: JsonObject, path: string): FieldError[] {
  const kinds = ['podSelector', 'namespaceSelector', 'ipBlock'].filter((key) => peer[key] !== undefined);
  if (kinds.length === 0) return [required(path, 'must specify a peer')];
  if (!kinds.includes('ipBlock')) return [];
  if (kinds.length > 1) return [invalid(path, peer, 'may not specify both ipBlock and another peer')];
  const cidr = textAt(peer, 'ipBlock', 'cidr');
  if (cidr === '') return [required(`${path}.ipBlock.cidr`)];
  const shape = /^[0-9a-fA-F.:]+\/\d{1,3}$/;
  return [cidr, ...textsAt(peer, 'ipBlock', 'except')]
    .filter((text) => !shape.test(text))
    .map((text) =>
      invalid(`${path}.ipBlock.cidr`, text, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'),
    );
}

export const INGRESS: Kind = {
  ...NETWORKING,
  kind: 'Ingress',
  plural: 'ingresses',
  singular: 'ingress',
  shortNames: ['ing'],
  namespaced: true,
  type: 'V1Ingress',
  status: true,
  columns: INGRESS_COLUMNS,
  prepareCreate: (ingress) => {
    ingress.status = { loadBalancer: {} };
    return [];
  },
  validate: validateIngress,
};

function validateIngress(ingress: KubeObject): FieldError[] {
  const spec = objectAt(ingress, 'spec');
  const errors: FieldError[] = [];
  if (objectsAt(spec, 'rules').length === 0 && spec.defaultBackend === undefined)
    errors.push(invalid('spec', [], 'either `defaultBackend` or `rules` must be specified'));
  for (const [index, rule] of objectsAt(spec, 'rules').entries()) {
    for (const [at, path] of objectsAt(rule, 'http', 'paths').entries()) {
      const field = `spec.rules[${index}].http.paths[${at}]`;
      const type = textAt(path, 'pathType');
      if (type === '') errors.push(required(`${field}.pathType`, 'pathType must be specified'));
      else if (!PATH_TYPES.includes(type)) errors.push(unsupported(`${field}.pathType`, type, PATH_TYPES));
      if (path.backend === undefined) errors.push(required(`${field}.backend`));
    }
  }
  return errors;
}

export const INGRESS_CLASS: Kind = {
  ...NETWORKING,
  kind: 'IngressClass',
  plural: 'ingressclasses',
  singular: 'ingressclass',
  namespaced: false,
  type: 'V1IngressClass',
  columns: INGRESS_CLASS_COLUMNS,
  validate: (object) => needs(object, 'spec', 'controller'),
};
