/** The kind Namespace. */
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { ensureObject, setDefault, textAt, textsAt } from '#spec/kinds/json.ts';
import type { Kind } from '#spec/kinds/kind.ts';

/** Those of Kubernetes' admission plugin NamespaceLifecycle. */
const IMMORTAL: readonly string[] = ['default', 'kube-system', 'kube-public'];

export const NAMESPACE: Kind = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  type: 'V1Namespace',
  names: 'label',
  // Several at once are not deleted (Kubernetes has no deletecollection of them).
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  status: true,
  subresources: [{ name: 'finalize', verbs: ['update'], kind: 'Namespace' }],
  columns: [NAME, column('Status', 'Active or Terminating.', (object) => textAt(object, 'status', 'phase')), AGE],
  fields: { 'status.phase': (object) => textAt(object, 'status', 'phase') },
  defaults: (object) => {
    const metadata = object.metadata;
    if (metadata.name !== undefined) ensureObject(metadata, 'labels')['kubernetes.io/metadata.name'] = metadata.name;
  },
  prepareCreate: (object) => {
    setDefault(ensureObject(object, 'spec'), 'finalizers', ['kubernetes']);
    object.status = { phase: 'Active' };
    return [];
  },
  /** Its content goes first (`serve/api/content/namespaces.ts`); then the finalizer `kubernetes` goes, and with it the namespace. */
  finalizers: (object) => textsAt(object, 'spec', 'finalizers'),
  immortal: ({ metadata }) => (IMMORTAL.includes(metadata.name) ? 'this namespace may not be deleted' : undefined),
  markDeleted: (object) => {
    ensureObject(object, 'status').phase = 'Terminating';
  },
};
