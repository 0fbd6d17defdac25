/** The comparison that every kind of object shares. */

/** What has to be done for one kind, told apart by how much is known of the cluster: see `diff`. */
export interface Changes<T> {
  /** Not there at all. */
  readonly add: readonly T[];
  /** There, ours, and different. */
  readonly change: readonly { readonly from: T; readonly to: T }[];
  /** Ours and wanted no longer. */
  readonly remove: readonly T[];
}

/** How a kind compares: `key` is what there can be one of, `value` everything that counts beside it. */
export interface Kind<T> {
  readonly key: (item: T) => string;
  readonly value: (item: T) => string;
}

/** Compares by key and value, each side once a key; all lists in the order of keys, so in one order for one state. */
export function compare<T>(kind: Kind<T>, wanted: readonly T[], have: readonly T[]): Changes<T> {
  const want = byKey(kind, wanted);
  const there = byKey(kind, have);
  const change = [...want].flatMap(([key, to]) => {
    const from = there.get(key);
    return from !== undefined && kind.value(from) !== kind.value(to) ? [{ from, to }] : [];
  });
  return {
    add: [...want].filter(([key]) => !there.has(key)).map(([, item]) => item),
    change,
    remove: [...there].filter(([key]) => !want.has(key)).map(([, item]) => item),
  };
}

function byKey<T>(kind: Kind<T>, items: readonly T[]): Map<string, T> {
  const pairs = items.map((item): [string, T] => [kind.key(item), item]);
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
