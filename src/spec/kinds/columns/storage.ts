/** Columns of volumes, claims and classes of storage. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { at, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import type { Column, KubeObject } from '#spec/kinds/kind.ts';

const SHORT_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
export const ACCESS_MODES: readonly string[] = Object.keys(SHORT_MODES);

export const CLAIM_COLUMNS: readonly Column[] = [
  NAME,
  column('Status', 'Whether a volume is bound to it.', phaseCell),
  column('Volume', 'The volume that is bound to it.', (claim) => textAt(claim, 'spec', 'volumeName')),
  column('Capacity', 'Size of the volume.', (claim) => (isBound(claim) ? capacity(claim, 'status') : '')),
  column('Access Modes', 'How the volume is mounted.', (claim) => (isBound(claim) ? modes(claim, 'status') : '')),
  column('StorageClass', 'Who provides the volume.', (claim) => textAt(claim, 'spec', 'storageClassName')),
  attributesClass(),
  AGE,
  volumeMode(),
];

export const VOLUME_COLUMNS: readonly Column[] = [
  NAME,
  column('Capacity', 'Its size.', (volume) => capacity(volume, 'spec')),
  column('Access Modes', 'How it can be mounted.', (volume) => modes(volume, 'spec')),
  column('Reclaim Policy', 'What becomes of it after its claim.', (volume) =>
    textAt(volume, 'spec', 'persistentVolumeReclaimPolicy'),
  ),
  column('Status', 'Whether a claim is bound to it.', phaseCell),
  column('Claim', 'The claim that is bound to it.', claimCell),
  column('StorageClass', 'Who provides it.', (volume) => textAt(volume, 'spec', 'storageClassName')),
  attributesClass(),
  column('Reason', 'Why it is in that status.', (volume) => textAt(volume, 'status', 'reason')),
  AGE,
  volumeMode(),
];

export const STORAGE_CLASS_COLUMNS: readonly Column[] = [
  { ...NAME, cell: (one) => one.metadata.name + (isDefaultClass(one) ? ' (default)' : '') },
  column('Provisioner', 'Who provides volumes.', (one) => textAt(one, 'provisioner')),
  column('ReclaimPolicy', 'What becomes of a volume after its claim.', (one) => textAt(one, 'reclaimPolicy')),
  column('VolumeBindingMode', 'When a volume is bound.', (one) => textAt(one, 'volumeBindingMode')),
  column('AllowVolumeExpansion', 'Whether volumes may grow.', (one) => String(one.allowVolumeExpansion === true)),
  AGE,
];

export const CSI_NODE_COLUMNS: readonly Column[] = [
  NAME,
  column('Drivers', 'Drivers on the node.', (one) => objectsAt(one, 'spec', 'drivers').length, { type: 'integer' }),
  AGE,
];

export const CSI_DRIVER_COLUMNS: readonly Column[] = [
  NAME,
  flag('AttachRequired', 'attachRequired', 'Whether volumes are attached before they are mounted.'),
  flag('PodInfoOnMount', 'podInfoOnMount', 'Whether it is told of the pod.'),
  flag('StorageCapacity', 'storageCapacity', 'Whether the scheduler looks at its capacity.'),
  column('TokenRequests', 'Audiences of tokens that it needs.', (one) => {
    const audiences = objectsAt(one, 'spec', 'tokenRequests').map((request) => textAt(request, 'audience'));
    return audiences.length === 0 ? '<unset>' : audiences.join(',');
  }),
  flag('RequiresRepublish', 'requiresRepublish', 'Whether it is called again from time to time.'),
  column('Modes', 'Life of its volumes.', (one) => textsAt(one, 'spec', 'volumeLifecycleModes').join(',')),
  AGE,
];

/** Classes that claims without a class get (Kubernetes "Storage Classes" §Default StorageClass). */
export function isDefaultClass(one: KubeObject): boolean {
  return at(one, 'metadata', 'annotations', 'storageclass.kubernetes.io/is-default-class') === 'true';
}

function flag(name: string, key: string, description: string): Column {
  return column(name, description, (one) => String(at(one, 'spec', key) === true));
}

function attributesClass(): Column {
  return column('VolumeAttributesClass', 'Attributes of the volume.', (one) => {
    return textAt(one, 'spec', 'volumeAttributesClassName') || '<unset>';
  });
}

function volumeMode(): Column {
  const cell = (one: KubeObject): string => textAt(one, 'spec', 'volumeMode') || '<unset>';
  return column('VolumeMode', 'A file system, or a block device.', cell, { wide: true });
}

function phaseCell(one: KubeObject): string {
  return textAt(one, 'metadata', 'deletionTimestamp') === '' ? textAt(one, 'status', 'phase') : 'Terminating';
}

function isBound(claim: KubeObject): boolean {
  return textAt(claim, 'spec', 'volumeName') !== '';
}

function capacity(one: KubeObject, part: string): string {
  return textAt(one, part, 'capacity', 'storage');
}

function modes(one: KubeObject, part: string): string {
  const named = new Set(textsAt(one, part, 'accessModes'));
  return Object.entries(SHORT_MODES)
    .filter(([mode]) => named.has(mode))
    .map(([, short]) => short)
    .join(',');
}

function claimCell(volume: KubeObject): string {
  const name = textAt(volume, 'spec', 'claimRef', 'name');
  return name === '' ? '' : `${textAt(volume, 'spec', 'claimRef', 'namespace')}/${name}`;
}
