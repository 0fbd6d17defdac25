/** The kind IPPool: a network that pods' addresses come from, and how packets to it are carried. */
import { lengthOf, overlaps, type Prefix, parsePrefix, prefixFamily, readPrefix } from '#net/prefix.ts';
import { readNetwork } from '#spec/calico-networks.ts';
import { checkFields, each, network, oneOf, selector } from '#spec/kinds/calico/check.ts';
import { calicoRows } from '#spec/kinds/calico/row.ts';
import { column } from '#spec/kinds/columns/common.ts';
import {
  at,
  ensureObject,
  type JsonObject,
  numberAt,
  objectAt,
  setDefault,
  textAt,
  textsAt,
} from '#spec/kinds/json.ts';
import { type FieldError, forbidden, invalid, type KubeObject, required, type World } from '#spec/kinds/kind.ts';
import { DEFAULT_BLOCK_SIZE } from '#spec/pool.ts';

/** Lengths that blocks may have (Calico: IPPool spec.blockSize). */
const BLOCK_SIZES = { 4: [20, 32], 6: [116, 128] } as const;
const LINK_LOCAL = [parsePrefix('169.254.0.0/16'), parsePrefix('fe80::/10')];
const mode = oneOf('Never', 'Always', 'CrossSubnet');
const CIDR = 'spec.cidr';

export const IP_POOL = calicoRows({
  kind: 'IPPool',
  plural: 'ippools',
  type: 'IPPool',
  shortNames: ['ipp'],
  fields: {
    [CIDR]: (pool) => textAt(pool, 'spec', 'cidr'),
    'polder.name': (pool) => pool.metadata.name,
  },
  columns: [
    column('CIDR', 'The network of the pool.', (pool) => textAt(pool, 'spec', 'cidr')),
    column('Selector', 'Nodes that may use it.', (pool) => textAt(pool, 'spec', 'nodeSelector')),
    column('NAT', 'Traffic that leaves the pools gets the node’s address.', flag('natOutgoing'), { wide: true }),
    column('IPIPMode', 'When IPIP is used.', (pool) => textAt(pool, 'spec', 'ipipMode'), { wide: true }),
    column('VXLANMode', 'When VXLAN is used.', (pool) => textAt(pool, 'spec', 'vxlanMode'), { wide: true }),
    column('Disabled', 'No new address comes from it.', flag('disabled'), { wide: true }),
    column('DisableBGPExport', 'Its routes are not told to BGP peers.', flag('disableBGPExport'), { wide: true }),
  ],
  defaults,
  prepareCreate: (pool, world) => overlapErrors(pool, world),
  validate,
  validateUpdate,
});

function flag(key: string): (pool: KubeObject) => string {
  return (pool) => String(at(pool, 'spec', key) ?? false);
}

function defaults(pool: KubeObject): void {
  const spec = ensureObject(pool, 'spec');
  // A bare address is a network of full length, and stored as one.
  const cidr = readNetwork(textAt(spec, 'cidr'));
  if (cidr !== undefined) spec.cidr = cidr;
  if (cidr !== undefined && !numberAt(spec, 'blockSize')) spec.blockSize = DEFAULT_BLOCK_SIZE[prefixFamily(cidr)];
  setDefault(spec, 'ipipMode', 'Never');
  setDefault(spec, 'vxlanMode', 'Never');
  setDefault(spec, 'nodeSelector', 'all()');
  setDefault(spec, 'allowedUses', ['Workload', 'Tunnel']);
  setDefault(spec, 'assignmentMode', 'Automatic');
}

function validate(pool: KubeObject): FieldError[] {
  const spec = objectAt(pool, 'spec');
  if (textAt(spec, 'cidr') === '') return [required(CIDR)];
  const errors = checkFields(spec, 'spec', {
    cidr: network(),
    ipipMode: mode,
    vxlanMode: mode,
    nodeSelector: selector,
    namespaceSelector: selector,
    allowedUses: each(oneOf('LoadBalancer', 'Tunnel', 'Workload')),
    assignmentMode: oneOf('Automatic', 'Manual'),
  });
  const cidr = readPrefix(textAt(spec, 'cidr'));
  if (cidr === undefined)
    return errors.length > 0 ? errors : [invalid(CIDR, textAt(spec, 'cidr'), 'must be a network')];
  return [
    ...[...errors, ...firstApiErrors(spec), ...networkErrors(cidr)],
    ...[...blockErrors(pool, cidr), ...modeErrors(pool, cidr), ...useErrors(pool)],
  ];
}

/** Fields of Calico's first API, which its definitions still have, and what stands for them now. */
const FIRST_API = { ipip: 'ipipMode', 'nat-outgoing': 'natOutgoing' } as const;

function firstApiErrors(spec: JsonObject): FieldError[] {
  return Object.entries(FIRST_API)
    .filter(([key]) => spec[key] !== undefined)
    .map(([key, now]) => forbidden(`spec.${key}`, `is of Calico’s first API; write ${now}`));
}

function networkErrors(cidr: Prefix): FieldError[] {
  const reserved = LINK_LOCAL.find((prefix) => overlaps(prefix, cidr));
  return reserved === undefined
    ? []
    : [invalid(CIDR, cidr, `IP pool range overlaps with link local address ${reserved}`)];
}

function blockErrors(pool: KubeObject, cidr: Prefix): FieldError[] {
  const size = numberAt(pool, 'spec', 'blockSize') ?? 0;
  const family = prefixFamily(cidr);
  const [least, most] = BLOCK_SIZES[family];
  if (size < least || size > most) {
    const what = `block size must be between ${least} and ${most} for IPv${family}`;
    return [invalid('spec.blockSize', size, what)];
  }
  // One that is disabled may stand there until it goes.
  if (lengthOf(cidr) <= size || at(pool, 'spec', 'disabled') === true) return [];
  return [invalid(CIDR, cidr, `IP pool size is too small: it must hold at least one block of /${size}`)];
}

function modeErrors(pool: KubeObject, cidr: Prefix): FieldError[] {
  const [ipip, vxlan] = [textAt(pool, 'spec', 'ipipMode'), textAt(pool, 'spec', 'vxlanMode')];
  if (ipip !== 'Never' && prefixFamily(cidr) === 6) {
    return [invalid('spec.ipipMode', ipip, 'IPIP is IPv4 inside IPv4: an IPv6 pool can only have Never')];
  }
  if (ipip === 'Never' || vxlan === 'Never') return [];
  return [invalid('spec.ipipMode', ipip, 'IPIPMode and VXLANMode cannot both be enabled on the same IP pool')];
}

function useErrors(pool: KubeObject): FieldError[] {
  const uses = textsAt(pool, 'spec', 'allowedUses');
  if (!uses.includes('LoadBalancer') || uses.length === 1) return [];
  return [invalid('spec.allowedUses', uses, 'LoadBalancer cannot be used together with Workload or Tunnel')];
}

/** Two pools with one address would give it twice. */
function overlapErrors(pool: KubeObject, world: World): FieldError[] {
  const cidr = readPrefix(textAt(pool, 'spec', 'cidr'));
  if (cidr === undefined) return [];
  for (const other of world.fieldsOf('ippools.crd.projectcalico.org')) {
    const taken = readPrefix(other[CIDR] ?? '');
    if (taken === undefined || !overlaps(taken, cidr)) continue;
    return [
      invalid(
        CIDR,
        cidr,
        `IPPool(${pool.metadata.name}) CIDR overlaps with IPPool(${other['polder.name']}) CIDR ${taken}`,
      ),
    ];
  }
  return [];
}

/** Addresses are in use: a pool is replaced by another one, never moved. */
function validateUpdate(pool: KubeObject, old: KubeObject): FieldError[] {
  return ['cidr', 'blockSize']
    .filter((key) => at(pool, 'spec', key) !== at(old, 'spec', key))
    .map((key) => forbidden(`spec.${key}`, `field is immutable; make another pool and set disabled on this one`));
}
