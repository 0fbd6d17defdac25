/** What the store keeps of an object, and the events that tell of its changes. */

export interface StoredObject {
  /** `pods`, `daemonsets.apps`. */
  readonly resource: string;
  /** '' for what has no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** The revision that wrote it; its `metadata.resourceVersion`. */
  readonly revision: number;
  /** The object as JSON: what is sent to clients, made once a revision. */
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Values of the kind's indexed fields. */
  readonly fields: Readonly<Record<string, string>>;
}

/** One revision of the store. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** The object as it is now; for DELETED its last state, with the revision of the deletion. */
  readonly object: StoredObject;
  /** What it replaced. */
  readonly before: StoredObject | undefined;
}

export interface Key {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Key inside a resource; `/` cannot stand in a name, so the order is by namespace, then name, as in etcd. */
export function pathOf(key: Omit<Key, 'resource'>): string {
  return key.namespace === '' ? key.name : `${key.namespace}/${key.name}`;
}
