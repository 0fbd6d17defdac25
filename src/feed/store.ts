/**
 * What is known of one resource: the newest of each object, by `namespace/name`.
 *
 * The watch is the truth; `observe` and `assume` let a writer see its own writes at once instead of when the watch
 * brings them. Both compare resource versions as numbers, which Kubernetes allows since 1.35 (KEP-5504) and every
 * server has always honoured.
 */

import { type KubeObject, keyOf } from '#spec/k8s.ts';

export type Change<T> =
  | { readonly type: 'set'; readonly key: string; readonly object: T; readonly previous?: T }
  | { readonly type: 'delete'; readonly key: string; readonly object: T };

export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #changed: (change: Change<T>) => void;
  /** Up to here the watch has told everything. */
  #seen = 0n;

  constructor(changed: (change: Change<T>) => void) {
    this.#changed = changed;
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): T[] {
    return [...this.#objects.values()];
  }

  /** A whole list as of `version`: what is not in it has been deleted, save what `observe` brought since. */
  replace(items: readonly T[], version: string): void {
    const listed = new Map(items.map((item) => [keyOf(item), item]));
    const to = number(version);
    // A version before one already seen is another history (a server restored from a copy): then the list is all.
    const ownWrite = (known: T) => to >= this.#seen && versionOf(known) > to;
    for (const [key, known] of [...this.#objects]) {
      if (!listed.has(key) && !ownWrite(known)) this.#remove(key, known);
    }
    for (const [key, object] of listed) {
      const known = this.#objects.get(key);
      if (known === undefined || (!isSame(object, known) && !ownWrite(known))) this.#put(key, object, known);
    }
    this.#seen = to;
  }

  /** An event of the watch. */
  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const key = keyOf(object);
    if (type === 'DELETED') {
      const known = this.#objects.get(key);
      // A newer object of the same name that `observe` brought stays: its own events are still to come.
      if (known !== undefined && versionOf(known) <= versionOf(object)) this.#remove(key, object);
    } else this.#set(object);
    this.seen(object.metadata.resourceVersion);
  }

  /** The watch has told everything up to this version. */
  seen(version: string | undefined): void {
    const to = number(version);
    if (to > this.#seen) this.#seen = to;
  }

  /** What the API answered to a write. Ignored if the watch is already past it: it might be gone again. */
  observe(object: T): void {
    if (versionOf(object) > this.#seen) this.#set(object);
  }

  /** How `base` looks after a write whose answer did not show it. Ignored if something newer is known. */
  assume(base: T, assumed: T): void {
    const known = this.#objects.get(keyOf(base));
    if (known === base) this.#put(keyOf(base), assumed, base);
  }

  #set(object: T): void {
    const key = keyOf(object);
    const known = this.#objects.get(key);
    if (known !== undefined && !isNewer(object, known)) return;
    this.#put(key, object, known);
  }

  #put(key: string, object: T, previous: T | undefined): void {
    this.#objects.set(key, object);
    this.#changed({ type: 'set', key, object, ...(previous === undefined ? {} : { previous }) });
  }

  #remove(key: string, object: T): void {
    this.#objects.delete(key);
    this.#changed({ type: 'delete', key, object });
  }
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}

/** A new object of an old name counts as newer whatever its version; versions that are no numbers only tell equal from other. */
function isNewer(object: KubeObject, known: KubeObject): boolean {
  if (object.metadata.uid !== known.metadata.uid) return true;
  const [a, b] = [versionOf(object), versionOf(known)];
  return a > 0n && b > 0n ? a > b : !isSame(object, known);
}

function versionOf(object: KubeObject): bigint {
  return number(object.metadata.resourceVersion);
}

function number(version: string | undefined): bigint {
  return version !== undefined && /^\d+$/.test(version) ? BigInt(version) : 0n;
}
