import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { CALICO_KINDS } from '#spec/kinds/calico/table.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { apiVersionOf, type Kind, type KubeObject, resourceOf, type World } from '#spec/kinds/kind.ts';

const WORLD: World = {
  now: 0,
  random: () => 0,
  find: () => undefined,
  fieldsOf: (resource) =>
    resource === 'ippools.crd.projectcalico.org' ? [{ 'spec.cidr': '10.1.0.0/16', 'polder.name': 'first' }] : [],
};

function row(kind: string): Kind {
  const found = CALICO_KINDS.find((one) => one.kind === kind && one.group === 'projectcalico.org');
  return found ?? assert.fail(`no kind ${kind}`);
}

function made(kind: string, spec: JsonObject, name = 'default'): KubeObject {
  const object: KubeObject = { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec };
  row(kind).defaults?.(object);
  return object;
}

function said(kind: string, spec: JsonObject, name?: string): string[] {
  const object = made(kind, spec, name);
  const { prepareCreate, validate } = row(kind);
  return [...(prepareCreate?.(object, WORLD) ?? []), ...(validate?.(object) ?? [])].map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

test('IPPool gets Calico’s defaults', () => {
  const defaults = { ipipMode: 'Never', vxlanMode: 'Never', nodeSelector: 'all()', assignmentMode: 'Automatic' };
  const allowedUses = ['Workload', 'Tunnel'];
  const four = { cidr: '10.0.0.0/16', blockSize: 26, ...defaults, allowedUses };
  assert.deepEqual(made('IPPool', { cidr: '10.0.0.0/16' }).spec, four);
  assert.deepEqual(made('IPPool', { cidr: 'fd00::/64' }).spec, { ...four, cidr: 'fd00::/64', blockSize: 122 });
});

test('an IPPool of a single address is stored as a network', () => {
  assert.equal(Reflect.get(Object(made('IPPool', { cidr: '10.0.0.7', blockSize: 32 }).spec), 'cidr'), '10.0.0.7/32');
});

const REFUSED: readonly (readonly [string, string, JsonObject, RegExp])[] = [
  ['a pool without network', 'IPPool', {}, /^spec\.cidr: Required value/],
  ['a pool with host bits', 'IPPool', { cidr: '10.0.0.1/16' }, /the network is 10\.0\.0\.0\/16/],
  [
    'a pool smaller than its block',
    'IPPool',
    { cidr: '10.0.0.0/28' },
    /too small: it must hold at least one block of \/26/,
  ],
  ['a block of a wrong size', 'IPPool', { cidr: '10.0.0.0/16', blockSize: 19 }, /between 20 and 32 for IPv4/],
  ['a block of a wrong size, IPv6', 'IPPool', { cidr: 'fd00::/64', blockSize: 64 }, /between 116 and 128 for IPv6/],
  ['link-local addresses', 'IPPool', { cidr: '169.254.0.0/24' }, /overlaps with link local address 169\.254\.0\.0\/16/],
  [
    'overlapping pools',
    'IPPool',
    { cidr: '10.1.128.0/20' },
    /IPPool\(default\) CIDR overlaps with IPPool\(first\) CIDR 10\.1\.0\.0\/16/,
  ],
  [
    'two encapsulations',
    'IPPool',
    { cidr: '10.0.0.0/16', ipipMode: 'Always', vxlanMode: 'CrossSubnet' },
    /cannot both be enabled/,
  ],
  ['IPIP for IPv6', 'IPPool', { cidr: 'fd00::/64', ipipMode: 'Always' }, /an IPv6 pool can only have Never/],
  ['an unknown mode', 'IPPool', { cidr: '10.0.0.0/16', vxlanMode: 'always' }, /vxlanMode: Unsupported value/],
  [
    'a wrong selector',
    'IPPool',
    { cidr: '10.0.0.0/16', nodeSelector: 'zone = a' },
    /nodeSelector: Invalid value.*at column 6/,
  ],
  ['an unknown use', 'IPPool', { cidr: '10.0.0.0/16', allowedUses: ['Pods'] }, /allowedUses\[0\]: Unsupported value/],
  [
    'LoadBalancer and Workload',
    'IPPool',
    { cidr: '10.0.0.0/16', allowedUses: ['LoadBalancer', 'Workload'] },
    /cannot be used together/,
  ],
  ['a reservation of nonsense', 'IPReservation', { reservedCIDRs: ['10.0.0.1', 'x'] }, /^spec\.reservedCIDRs\[1\]/],
  ['AS number 0', 'BGPConfiguration', { asNumber: 0 }, /asNumber: Invalid value: 0: must be an AS number/],
  ['an AS number of 33 bits', 'BGPConfiguration', { asNumber: 4294967296 }, /must be an AS number/],
  [
    'a community of a wrong form',
    'BGPConfiguration',
    { communities: [{ name: 'a', value: '65001:70000' }] },
    /must be a community/,
  ],
  [
    'an unknown community',
    'BGPConfiguration',
    { prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['b'] }] },
    /communities\[0\]/,
  ],
  [
    'a mesh password without mesh',
    'BGPConfiguration',
    { nodeToNodeMeshEnabled: false, nodeMeshPassword: { secretKeyRef: { name: 'a', key: 'b' } } },
    /needs nodeToNodeMeshEnabled/,
  ],
  ['a peer of nobody', 'BGPPeer', {}, /spec\.peerIP: Required value/],
  ['a peer without AS number', 'BGPPeer', { peerIP: '10.0.0.1' }, /spec\.asNumber: Required value/],
  [
    'node and nodeSelector',
    'BGPPeer',
    { peerIP: '10.0.0.1', asNumber: 1, node: 'a', nodeSelector: 'all()' },
    /spec\.node: Forbidden/,
  ],
  [
    'a port that is none',
    'BGPPeer',
    { peerIP: '10.0.0.1:99999', asNumber: 1 },
    /must be an IP address, optionally with a port/,
  ],
  [
    'a filter without operator',
    'BGPFilter',
    { exportV4: [{ action: 'Accept', cidr: '10.0.0.0/8' }] },
    /matchOperator: Required value/,
  ],
  [
    'a filter of the other family',
    'BGPFilter',
    { importV4: [{ action: 'Accept', cidr: 'fd00::/8', matchOperator: 'In' }] },
    /must be an IPv4 network/,
  ],
  ['a VNI of 25 bits', 'FelixConfiguration', { vxlanVNI: 16777216 }, /between 1 and 16777215/],
  ['an unknown log level', 'FelixConfiguration', { logSeverityScreen: 'loud' }, /Unsupported value/],
  [
    'ports without protocol',
    'GlobalNetworkPolicy',
    { ingress: [{ action: 'Allow', destination: { ports: [80] } }] },
    /ingress\[0\]\.protocol: Required value/,
  ],
  ['a rule without action', 'NetworkPolicy', { egress: [{}] }, /egress\[0\]\.action: Required value/],
  ['a host endpoint of nothing', 'HostEndpoint', { node: 'a' }, /at least one of interfaceName or expectedIPs/],
  ['a tier that allows', 'Tier', { defaultAction: 'Allow' }, /Unsupported value/],
];

describe('Calico’s kinds refuse, with the field', () => {
  for (const [name, kind, spec, says] of REFUSED) {
    it(name, () => assert.match(said(kind, spec).join('\n'), new RegExp(says.source, `${says.flags}m`)));
  }
  it('an IPAMConfiguration of another name', () =>
    assert.match(said('IPAMConfiguration', {}, 'mine').join(), /must be "default"/));
});

const TAKEN: readonly (readonly [string, JsonObject])[] = [
  ['IPPool', { cidr: '10.0.0.0/26', ipipMode: 'CrossSubnet', natOutgoing: true, nodeSelector: "zone == 'a'" }],
  ['IPPool', { cidr: 'fd00::/122', vxlanMode: 'Always' }],
  ['IPPool', { cidr: '10.0.0.0/28', disabled: true }],
  ['IPPool', { cidr: '10.0.0.7', blockSize: 32 }],
  ['IPReservation', { reservedCIDRs: ['10.0.0.1', '10.0.1.0/24', 'fd00::1'] }],
  [
    'BGPConfiguration',
    {
      asNumber: 4200000000,
      communities: [{ name: 'a', value: '65001:1:70000' }],
      prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['a', '1:2'] }],
      nodeMeshMaxRestartTime: '1m30s',
    },
  ],
  [
    'BGPPeer',
    {
      peerIP: '[fd00::1]:1790',
      asNumber: '65000.1',
      nodeSelector: 'has(tor)',
      password: { secretKeyRef: { name: 'a', key: 'b' } },
    },
  ],
  ['BGPPeer', { peerSelector: "route-reflector == 'true'" }],
  [
    'BGPFilter',
    { exportV4: [{ action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 26, max: 28 } }] },
  ],
  [
    'GlobalNetworkPolicy',
    {
      selector: 'all()',
      ingress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [80, '8000:8080', 'http'] } }],
    },
  ],
  ['HostEndpoint', { node: 'a', interfaceName: '*' }],
  ['Tier', { order: 10 }],
  ['Profile', { ingress: [{ action: 'Pass' }] }],
];

describe('Calico’s kinds take what Calico takes', () => {
  for (const [kind, spec] of TAKEN)
    it(`${kind} ${JSON.stringify(spec).slice(0, 40)}`, () => assert.deepEqual(said(kind, spec), []));
});

test('an AS number is stored in one spelling', () => {
  assert.deepEqual(made('BGPPeer', { peerIP: '10.0.0.1', asNumber: '65000.1' }).spec, {
    peerIP: '10.0.0.1',
    asNumber: 4259840001,
  });
});

test('a pool’s network and block size stay as they were made', () => {
  const old = made('IPPool', { cidr: '10.0.0.0/16' });
  const fields = (spec: JsonObject) =>
    row('IPPool')
      .validateUpdate?.(made('IPPool', spec), old)
      .map(({ field }) => field);
  assert.deepEqual(fields({ cidr: '10.0.0.0/15', blockSize: 27 }), ['spec.cidr', 'spec.blockSize']);
  assert.deepEqual(fields({ cidr: '10.0.0.0/16', disabled: true, vxlanMode: 'Always' }), []);
});

test('policies get the types of their rules', () => {
  const types = (spec: JsonObject) => Reflect.get(Object(made('NetworkPolicy', spec).spec), 'types');
  assert.deepEqual(types({}), ['Ingress']);
  assert.deepEqual(types({ egress: [] }), ['Egress']);
  assert.deepEqual(types({ ingress: [], egress: [] }), ['Ingress', 'Egress']);
});

test('every kind is served in both groups, and both lead to one stored form and back', () => {
  const stored = CALICO_KINDS.filter(({ group }) => group === 'crd.projectcalico.org');
  const served = CALICO_KINDS.filter(({ group }) => group === 'projectcalico.org');
  assert.equal(stored.length, served.length);
  for (const kind of served) {
    const object: KubeObject = {
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: { name: 'a' },
      spec: { a: 1 },
    };
    const form = kind.storedAs?.toStored(object);
    assert.ok(form && stored.some((one) => one.kind === form.kind && resourceOf(one) === resourceOf(kind)), kind.kind);
    assert.deepEqual(kind.storedAs?.fromStored(form), object);
  }
});
