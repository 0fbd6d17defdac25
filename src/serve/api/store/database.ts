/**
 * The file of the store: SQLite in WAL mode, one row a revision, never changed afterwards.
 *
 * The newest row of a key is its state, older ones are history that watchers may still ask for, and compaction deletes
 * them. With `synchronous=NORMAL` a commit is in the kernel when it returns, so it survives `kill -9` of the process;
 * only a crash of the whole machine may lose the last commits, and such a crash ends the lab's namespaces as well.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { PolderError } from '#spec/errors.ts';

/** Raise it with a migration in `MIGRATIONS` whenever the tables change. */
export const SCHEMA = 1;

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE revisions (
     revision INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
     deleted INTEGER NOT NULL, value TEXT NOT NULL) STRICT;
   CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
];

/** A server that was just killed lets go of its lock when the kernel has ended it; milliseconds. */
const BUSY_WAIT = 1000;

export interface Row {
  readonly revision: number;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly deleted: boolean;
  readonly value: string;
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #insert: StatementSync;
  readonly #drop: StatementSync;
  readonly #count: StatementSync;

  private constructor(db: DatabaseSync, file: string) {
    this.#db = db;
    this.#file = file;
    this.#insert = db.prepare('INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)');
    this.#drop = db.prepare('DELETE FROM revisions WHERE revision = ?');
    this.#count = db.prepare('INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value');
  }

  /**
   * Opens or makes the file and brings its tables up to date.
   * @throws PolderError store-newer, store-in-use, store-unreadable
   */
  static open(file: string): Database {
    let db: DatabaseSync | undefined;
    try {
      // Secrets are in it, so it is its owner's alone; SQLite gives its other files the same mode.
      closeSync(openSync(file, 'a', 0o600));
      db = new DatabaseSync(file, { timeout: BUSY_WAIT });
      db.exec(
        'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-2000',
      );
      migrate(db, file);
      return new Database(db, file);
    } catch (error) {
      db?.close();
      throw asPolderError(error, file);
    }
  }

  /** @throws PolderError store-full; the file is as it was then */
  append(row: Row): void {
    try {
      this.#insert.run(row.revision, row.resource, row.namespace, row.name, row.deleted ? 1 : 0, row.value);
    } catch (error) {
      if (errorCodeOf(error) === FULL) throw new PolderError('store-full', { file: this.#file }, { cause: error });
      throw error;
    }
  }

  /** All rows, oldest first. */
  *rows(): Generator<Row> {
    for (const row of this.#db.prepare('SELECT * FROM revisions ORDER BY revision').iterate()) {
      yield {
        revision: Number(row.revision),
        resource: String(row.resource),
        namespace: String(row.namespace),
        name: String(row.name),
        deleted: row.deleted === 1,
        value: String(row.value),
      };
    }
  }

  /** Watches cannot begin before this revision. */
  compacted(): number {
    const row = this.#db.prepare("SELECT value FROM counters WHERE name = 'compacted'").get();
    return Number(row?.value ?? 0);
  }

  /** Forgets rows that newer ones have replaced; `upTo` is the newest revision that this makes unavailable to watches. */
  compact(revisions: readonly number[], upTo: number): void {
    this.#db.exec('BEGIN');
    try {
      for (const revision of revisions) this.#drop.run(revision);
      this.#count.run('compacted', upTo);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Writes a copy, without the room of what was deleted. @throws PolderError store-full */
  copyTo(file: string): void {
    closeSync(openSync(file, 'ax', 0o600));
    try {
      this.#db.prepare('VACUUM INTO ?').run(file);
    } catch (error) {
      if (errorCodeOf(error) === FULL) throw new PolderError('store-full', { file: this.#file }, { cause: error });
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }
}

function migrate(db: DatabaseSync, file: string): void {
  const found = Number(db.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  if (found > SCHEMA) throw new PolderError('store-newer', { file, found, known: SCHEMA });
  // BEGIN IMMEDIATE takes the lock that locking_mode=EXCLUSIVE then keeps.
  db.exec('BEGIN IMMEDIATE');
  for (const step of MIGRATIONS.slice(found)) db.exec(step);
  // Nothing is written unless it must be: a full disk is no reason not to start.
  if (found < SCHEMA) db.exec(`PRAGMA user_version=${SCHEMA}`);
  db.exec('COMMIT');
}

/** SQLITE_BUSY and SQLITE_FULL of <sqlite3.h>. */
const BUSY = 5;
const FULL = 13;

function errorCodeOf(error: unknown): unknown {
  return error instanceof Error && 'errcode' in error ? error.errcode : undefined;
}

function asPolderError(error: unknown, file: string): PolderError {
  if (error instanceof PolderError) return error;
  if (errorCodeOf(error) === BUSY) return new PolderError('store-in-use', { file }, { cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  return new PolderError('store-unreadable', { file, reason }, { cause: error });
}
