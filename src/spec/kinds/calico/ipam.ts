/** What of Calico's address management stands in the API beside the pools: who holds which block and which address. */
import { lengthOf, prefixFamily, readPrefix } from '#net/prefix.ts';
import { between, checkFields, each, network, oneOf } from '#spec/kinds/calico/check.ts';
import { calicoRows } from '#spec/kinds/calico/row.ts';
import { column } from '#spec/kinds/columns/common.ts';
import { ensureObject, listAt, objectAt, setDefault, textAt } from '#spec/kinds/json.ts';
import { type FieldError, invalid, type KubeObject, required } from '#spec/kinds/kind.ts';

export const IP_RESERVATION = calicoRows({
  kind: 'IPReservation',
  plural: 'ipreservations',
  type: 'IPReservation',
  validate: (object) => checkFields(objectAt(object, 'spec'), 'spec', { reservedCIDRs: each(network()) }),
});

export const IPAM_CONFIGURATION = calicoRows({
  kind: 'IPAMConfiguration',
  plural: 'ipamconfigurations',
  stored: { kind: 'IPAMConfig', plural: 'ipamconfigs' },
  type: 'IPAMConfiguration',
  defaults: (object) => {
    const spec = ensureObject(object, 'spec');
    setDefault(spec, 'strictAffinity', false);
    setDefault(spec, 'autoAllocateBlocks', true);
  },
  validate: (object) => {
    const { name } = object.metadata;
    const errors = checkFields(objectAt(object, 'spec'), 'spec', { maxBlocksPerHost: between(0, 1_000_000) });
    return name === 'default' ? errors : [...errors, invalid('metadata.name', name, 'must be "default"')];
  },
});

const CIDR = column('CIDR', 'Network of the block.', (object) => textAt(object, 'spec', 'cidr'));

export const IPAM_BLOCK = calicoRows({
  kind: 'IPAMBlock',
  plural: 'ipamblocks',
  type: 'IPAMBlock',
  fields: {
    'spec.affinity': (block) => textAt(block, 'spec', 'affinity'),
    'spec.cidr': (block) => textAt(block, 'spec', 'cidr'),
  },
  columns: [CIDR, column('Affinity', 'Node that the block belongs to.', (block) => textAt(block, 'spec', 'affinity'))],
  validate: validateBlock,
});

/** More addresses than this no block has: blockSize is at least 20 or 116. */
const LARGEST_BITS = 12;

function validateBlock(block: KubeObject): FieldError[] {
  const text = textAt(block, 'spec', 'cidr');
  const cidr = readPrefix(text);
  if (cidr === undefined)
    return [text === '' ? required('spec.cidr') : invalid('spec.cidr', text, 'must be a network')];
  const bits = (prefixFamily(cidr) === 4 ? 32 : 128) - lengthOf(cidr);
  if (bits > LARGEST_BITS) return [invalid('spec.cidr', text, 'is larger than any block')];
  const affinity = textAt(block, 'spec', 'affinity');
  const slots = listAt(block, 'spec', 'allocations').length;
  return [
    ...(affinity === '' || /^(host|virtual):[a-zA-Z0-9._-]+$/.test(affinity)
      ? []
      : [invalid('spec.affinity', affinity, 'must be host:NODE or virtual:NAME')]),
    ...(slots === 2 ** bits ? [] : [invalid('spec.allocations', slots, `must have ${2 ** bits} entries for ${text}`)]),
  ];
}

export const BLOCK_AFFINITY = calicoRows({
  kind: 'BlockAffinity',
  plural: 'blockaffinities',
  type: 'BlockAffinity',
  fields: { 'spec.node': (object) => textAt(object, 'spec', 'node') },
  columns: [
    column('Node', 'Node that holds the block.', (object) => textAt(object, 'spec', 'node')),
    CIDR,
    column('State', 'pending until the block is made, then confirmed.', (object) => textAt(object, 'spec', 'state')),
  ],
  validate: (object) =>
    checkFields(objectAt(object, 'spec'), 'spec', {
      cidr: network(),
      state: oneOf('pending', 'confirmed', 'pendingDeletion'),
    }),
});

export const IPAM_HANDLE = calicoRows({
  kind: 'IPAMHandle',
  plural: 'ipamhandles',
  type: 'IPAMHandle',
  columns: [column('Handle', 'What the addresses were given for.', (object) => textAt(object, 'spec', 'handleID'))],
  validate: (object) => (textAt(object, 'spec', 'handleID') === '' ? [required('spec.handleID')] : []),
});
