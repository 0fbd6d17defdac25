/** Calico's kinds of BGP: BGPConfiguration, BGPPeer, BGPFilter. */
import { familyOf, readAddr } from '#net/addr.ts';
import { readAsNumber } from '#spec/calico-annotations.ts';
import {
  between,
  type Check,
  checkFields,
  duration,
  each,
  fields,
  isCommunity,
  network,
  oneOf,
  selector,
} from '#spec/kinds/calico/check.ts';
import { calicoRows } from '#spec/kinds/calico/row.ts';
import { column } from '#spec/kinds/columns/common.ts';
import { at, ensureObject, type JsonObject, listAt, objectAt, objectsAt, textAt } from '#spec/kinds/json.ts';
import { type FieldError, forbidden, invalid, type KubeObject, required } from '#spec/kinds/kind.ts';

const asNumber: Check = (value, field) =>
  readAsNumber(String(value)) === undefined
    ? [invalid(field, value, 'must be an AS number: 1 to 4294967294, or asdot such as 64512.1')]
    : [];

const password = fields({ secretKeyRef: fields({}, ['name', 'key']) });
const blocks = each(fields({ cidr: network() }));

export const BGP_CONFIGURATION = calicoRows({
  kind: 'BGPConfiguration',
  plural: 'bgpconfigurations',
  type: 'BGPConfiguration',
  shortNames: ['bgpconfig', 'bgpconfigs'],
  columns: [
    column('MeshEnabled', 'Every node peers with every other.', (object) =>
      String(at(object, 'spec', 'nodeToNodeMeshEnabled') ?? '-'),
    ),
    column('ASNumber', 'AS number of the nodes.', (object) => String(at(object, 'spec', 'asNumber') ?? '-')),
  ],
  defaults: (object) => numbered(ensureObject(object, 'spec')),
  validate: validateConfiguration,
});

/** `64512.1` -> its number: one spelling is stored. */
function numbered(spec: JsonObject): void {
  const found = readAsNumber(String(spec.asNumber ?? ''));
  if (found !== undefined) spec.asNumber = found;
}

function validateConfiguration(object: KubeObject): FieldError[] {
  const spec = objectAt(object, 'spec');
  const named = new Set(objectsAt(spec, 'communities').map((community) => textAt(community, 'name')));
  const community: Check = (value, field) =>
    isCommunity(String(value)) || named.has(String(value))
      ? []
      : [
          invalid(
            field,
            value,
            'must be a community such as 65001:100 or 65001:1:2, or the name of one in communities',
          ),
        ];
  const errors = checkFields(spec, 'spec', {
    logSeverityScreen: oneOf('Debug', 'Info', 'Warning', 'Error', 'Fatal'),
    asNumber,
    listenPort: between(1, 65_535),
    bindMode: oneOf('None', 'NodeIP'),
    serviceClusterIPs: blocks,
    serviceExternalIPs: blocks,
    serviceLoadBalancerIPs: blocks,
    communities: each(
      fields({ value: (value, field) => (isCommunity(String(value)) ? [] : community(value, field)) }, [
        'name',
        'value',
      ]),
    ),
    prefixAdvertisements: each(fields({ cidr: network(), communities: each(community) }, ['cidr'])),
    nodeMeshMaxRestartTime: duration,
    nodeMeshPassword: password,
  });
  return [...errors, ...meshErrors(object)];
}

/** A password and a restart time are of the mesh of all nodes. */
function meshErrors(object: KubeObject): FieldError[] {
  const set = ['nodeMeshPassword', 'nodeMeshMaxRestartTime'].filter((key) => at(object, 'spec', key) !== undefined);
  if (object.metadata.name !== 'default')
    return set.map((key) => forbidden(`spec.${key}`, 'may only be set in the BGPConfiguration "default"'));
  if (at(object, 'spec', 'nodeToNodeMeshEnabled') !== false) return [];
  return set.map((key) => forbidden(`spec.${key}`, 'needs nodeToNodeMeshEnabled'));
}

export const BGP_PEER = calicoRows({
  kind: 'BGPPeer',
  plural: 'bgppeers',
  type: 'BGPPeer',
  columns: [
    column('PeerIP', 'Address of the peer.', (object) => textAt(object, 'spec', 'peerIP')),
    column(
      'Node',
      'Nodes that speak with it.',
      (object) => textAt(object, 'spec', 'node') || textAt(object, 'spec', 'nodeSelector') || '(global)',
    ),
    column('ASN', 'AS number of the peer.', (object) => String(at(object, 'spec', 'asNumber') ?? '')),
  ],
  defaults: (object) => numbered(ensureObject(object, 'spec')),
  validate: validatePeer,
});

/** Calico's IP:port: `10.0.0.1`, `10.0.0.1:1790`, `[fd00::1]:1790`. */
const peerIp: Check = (value, field) => {
  const text = String(value);
  const [, bracketed, plain, port = '179'] = /^(?:\[(.+)\]|([^[\]:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const addr = readAddr(bracketed ?? plain ?? text);
  const fits =
    Number(port) >= 1 && Number(port) <= 65_535 && (bracketed === undefined || (addr && familyOf(addr) === 6));
  return addr !== undefined && fits ? [] : [invalid(field, value, 'must be an IP address, optionally with a port')];
};

function validatePeer(object: KubeObject): FieldError[] {
  const spec = objectAt(object, 'spec');
  const errors = checkFields(spec, 'spec', {
    nodeSelector: selector,
    peerSelector: selector,
    localWorkloadSelector: selector,
    peerIP: peerIp,
    asNumber,
    sourceAddress: oneOf('None', 'UseNodeIP'),
    maxRestartTime: duration,
    numAllowedLocalASNumbers: between(0, 2_147_483_647),
    ttlSecurity: between(1, 255),
    nextHopMode: oneOf('Auto', 'Keep', 'Self'),
    password,
    reachableBy: (value, field) => (readAddr(String(value)) ? [] : [invalid(field, value, 'must be an IP address')]),
  });
  return [...errors, ...exclusive(spec)];
}

function exclusive(spec: JsonObject): FieldError[] {
  const has = (key: string) => textAt(spec, key) !== '';
  const errors: FieldError[] = [];
  if (has('node') && has('nodeSelector'))
    errors.push(forbidden('spec.node', 'may not be set together with nodeSelector'));
  if (has('peerIP') && has('peerSelector'))
    errors.push(forbidden('spec.peerIP', 'may not be set together with peerSelector'));
  if (spec.asNumber !== undefined && has('peerSelector'))
    errors.push(forbidden('spec.asNumber', 'may not be set together with peerSelector'));
  if (has('peerIP') && spec.asNumber === undefined) errors.push(required('spec.asNumber', 'the peer’s AS number'));
  if (!has('peerIP') && !has('peerSelector') && !has('localWorkloadSelector'))
    errors.push(required('spec.peerIP', 'peerIP or peerSelector'));
  return errors;
}

export const BGP_FILTER = calicoRows({
  kind: 'BGPFilter',
  plural: 'bgpfilters',
  type: 'BGPFilter',
  validate: (object) =>
    (['exportV4', 'importV4', 'exportV6', 'importV6'] as const).flatMap((list) =>
      listAt(object, 'spec', list).flatMap((rule, index) =>
        ruleErrors(rule, `spec.${list}[${index}]`, list.endsWith('4') ? 4 : 6),
      ),
    ),
});

function ruleErrors(rule: Parameters<Check>[0], path: string, family: 4 | 6): readonly FieldError[] {
  const length = between(0, family === 4 ? 32 : 128);
  const errors = fields(
    {
      action: oneOf('Accept', 'Reject'),
      cidr: network(family),
      matchOperator: oneOf('Equal', 'In', 'NotEqual', 'NotIn'),
      source: oneOf('RemotePeers'),
      peerType: oneOf('eBGP', 'iBGP'),
      prefixLength: fields({ min: length, max: length }),
    },
    ['action'],
  )(rule, path);
  const [cidr, operator] = [textAt(rule, 'cidr'), textAt(rule, 'matchOperator')];
  if ((cidr === '') === (operator === '')) {
    const alone = at(rule, 'prefixLength') !== undefined && cidr === '';
    return alone ? [...errors, required(`${path}.cidr`, 'when prefixLength is set')] : errors;
  }
  return [
    ...errors,
    required(`${path}.${cidr === '' ? 'cidr' : 'matchOperator'}`, 'cidr and matchOperator go together'),
  ];
}
