/**
 * The store: all objects in memory as text, each change first in the database. Everything is synchronous, so what was
 * read cannot change before what follows from it is written: there is one writer, the event loop.
 */
import { Database, type Row } from '#serve/api/store/database.ts';
import { History, type HistoryLimit } from '#serve/api/store/history.ts';
import { type Key, pathOf, type StoredObject, type StoreEvent } from '#serve/api/store/stored.ts';

/** What a kind says of an object for selectors. */
export interface Index {
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
}

export interface StoreOptions {
  readonly file: string;
  /** Labels and indexed fields of an object of a resource, from its JSON. */
  readonly indexOf: (resource: string, text: string) => Index;
  readonly history?: HistoryLimit;
}

export type Listener = (event: StoreEvent) => void;

const HISTORY: HistoryLimit = { events: 20_000, bytes: 16 * 1024 * 1024 };
/** Superseded rows are deleted from the file in batches of this many. */
const COMPACT_BATCH = 500;

export class Store {
  readonly file: string;
  readonly #database: Database;
  readonly #indexOf: StoreOptions['indexOf'];
  readonly #history: History;
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  /** Sorted keys of a resource, until one comes or goes. */
  readonly #keys = new Map<string, readonly string[]>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #everything = new Set<Listener>();
  #superseded: number[] = [];
  #compactAt = COMPACT_BATCH;
  #compacted: number;
  #revision: number;

  /** @throws PolderError of `Database.open` */
  constructor(options: StoreOptions) {
    this.file = options.file;
    this.#database = Database.open(options.file);
    this.#indexOf = options.indexOf;
    this.#history = new History(options.history ?? HISTORY);
    this.#compacted = this.#database.compacted();
    this.#revision = Math.max(1, this.#compacted);
    for (const row of this.#database.rows()) this.#replay(row);
  }

  /** The newest revision. */
  get revision(): number {
    return this.#revision;
  }

  /** Watches can begin after any revision from this one on. */
  get compacted(): number {
    return this.#compacted;
  }

  get(key: Key): StoredObject | undefined {
    return this.#objects.get(key.resource)?.get(pathOf(key));
  }

  /** Objects of a resource in the order of their keys. */
  list(resource: string): readonly StoredObject[] {
    const objects = this.#objects.get(resource);
    if (objects === undefined) return [];
    const keys = this.#keys.get(resource) ?? [...objects.keys()].sort();
    this.#keys.set(resource, keys);
    return keys.map((key) => objects.get(key)).filter((object) => object !== undefined);
  }

  /** Objects of a resource as they were at a revision that is not compacted. */
  listAt(resource: string, revision: number): readonly StoredObject[] {
    if (revision >= this.#revision) return this.list(resource);
    const then = new Map(this.#objects.get(resource));
    for (const event of this.#history.after(revision).reverse()) {
      if (event.object.resource !== resource) continue;
      if (event.before === undefined) then.delete(pathOf(event.object));
      else then.set(pathOf(event.object), event.before);
    }
    return [...then].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Reads labels and fields anew: what is indexed of a resource has changed. */
  reindex(resource: string): void {
    const objects = this.#objects.get(resource);
    for (const [path, { text, ...rest }] of objects ?? [])
      objects?.set(path, { ...rest, text, ...this.#indexOf(resource, text) });
  }

  /** The revision that the next write gets. */
  get next(): number {
    return this.#revision + 1;
  }

  /** Writes an object whose JSON says `next` as its resourceVersion. @throws when the disk refuses; nothing has changed then */
  put(key: Key, text: string): StoredObject {
    const object = this.#stored(key, this.next, text);
    const before = this.get(key);
    this.#database.append({ ...key, revision: object.revision, deleted: false, value: text });
    this.#apply({ type: before === undefined ? 'ADDED' : 'MODIFIED', object, before });
    return object;
  }

  /** Removes an object; `text` is its last state with `next` as its resourceVersion. */
  remove(key: Key, text: string): StoredObject {
    const object = this.#stored(key, this.next, text);
    this.#database.append({ ...key, revision: object.revision, deleted: true, value: text });
    this.#apply({ type: 'DELETED', object, before: this.get(key) });
    return object;
  }

  /** Events after a revision, oldest first. The caller checks `compacted` before. */
  after(revision: number): readonly StoreEvent[] {
    return this.#history.after(revision);
  }

  /** Calls the listener after each change of a resource, or of everything. */
  subscribe(resource: string | undefined, listener: Listener): Disposable {
    const listeners = resource === undefined ? this.#everything : this.#listenersOf(resource);
    listeners.add(listener);
    return { [Symbol.dispose]: () => listeners.delete(listener) };
  }

  /** Writes a copy of the file as it is now; nothing else is done meanwhile. @throws PolderError store-full */
  copyTo(file: string): void {
    this.#database.copyTo(file);
  }

  close(): void {
    this.#database.close();
  }

  #listenersOf(resource: string): Set<Listener> {
    const known = this.#listeners.get(resource) ?? new Set();
    this.#listeners.set(resource, known);
    return known;
  }

  #stored(key: Key, revision: number, text: string): StoredObject {
    const { resource, namespace, name } = key;
    return { resource, namespace, name, revision, text, ...this.#indexOf(resource, text) };
  }

  #apply(event: StoreEvent): void {
    this.#remember(event);
    for (const listener of this.#listeners.get(event.object.resource) ?? []) listener(event);
    for (const listener of this.#everything) listener(event);
    if (this.#superseded.length >= this.#compactAt) this.#compact();
  }

  #remember(event: StoreEvent): void {
    const { object } = event;
    const objects = this.#objects.get(object.resource) ?? new Map<string, StoredObject>();
    this.#objects.set(object.resource, objects);
    if (event.type === 'DELETED') objects.delete(pathOf(object));
    else objects.set(pathOf(object), object);
    if (event.type !== 'MODIFIED') this.#keys.delete(object.resource);
    this.#revision = object.revision;
    for (const old of this.#history.push(event)) this.#evict(old);
  }

  /** What an event that left the history replaced is needed by nobody any more. */
  #evict(event: StoreEvent): void {
    if (event.before !== undefined) this.#superseded.push(event.before.revision);
    if (event.type === 'DELETED') this.#superseded.push(event.object.revision);
    this.#compacted = event.object.revision;
  }

  /** Tidying: what the disk refuses of it is done after a later write. The write before it stands. */
  #compact(): void {
    try {
      this.#database.compact(this.#superseded, this.#compacted);
      this.#superseded = [];
      this.#compactAt = COMPACT_BATCH;
    } catch {
      this.#compactAt = this.#superseded.length + COMPACT_BATCH;
    }
  }

  #replay(row: Row): void {
    const object = this.#stored(row, row.revision, row.value);
    const before = this.get(row);
    const type = row.deleted ? 'DELETED' : before === undefined ? 'ADDED' : 'MODIFIED';
    if (row.revision > this.#compacted) this.#remember({ type, object, before });
    else this.#restore(row, object);
  }

  /** A row from before the history: state only. */
  #restore(row: Row, object: StoredObject): void {
    const objects = this.#objects.get(row.resource) ?? new Map<string, StoredObject>();
    this.#objects.set(row.resource, objects);
    if (row.deleted) objects.delete(pathOf(row));
    else objects.set(pathOf(row), object);
    this.#revision = Math.max(this.#revision, row.revision);
  }
}
