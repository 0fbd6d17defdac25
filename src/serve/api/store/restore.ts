/**
 * A copy of the store, looked at and taken as the store.
 *
 * A restored store must not say a revision twice: clients that watched the old one would take new events for old. So it
 * begins after the newest revision of both, with no history, and their watches end with 410; they list anew.
 */

import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Database, SCHEMA } from '#serve/api/store/database.ts';
import { PolderError } from '#spec/errors.ts';

/** The file in the data directory that becomes the store at the next start. */
export const RESTORE_FILE = 'restore.db';

/** How far to go on when the old store cannot say where it was. */
const FAR = 1_000_000;

export interface BackupSummary {
  readonly objects: number;
  /** The newest that is in it. */
  readonly revision: number;
}

/** @throws PolderError backup-unusable, store-newer */
export function checkBackup(file: string): BackupSummary {
  return reading(file, (db) => {
    const found = numberOf(db, 'PRAGMA user_version');
    if (found > SCHEMA) throw new PolderError('store-newer', { file, found, known: SCHEMA });
    const sound = db.prepare('PRAGMA integrity_check').get()?.integrity_check;
    if (sound !== 'ok') throw new PolderError('backup-unusable', { file, reason: String(sound) });
    return {
      objects: numberOf(db, `SELECT count(*) FROM (${NEWEST}) WHERE deleted = 0`),
      revision: newestOf(db),
    };
  });
}

/** If a copy waits to be taken, makes it the store. May be killed at any instant and called again. */
export function takeRestore(dataDir: string): void {
  const [waiting, store] = [join(dataDir, RESTORE_FILE), join(dataDir, 'api.db')];
  if (!existsSync(waiting)) return;
  const { revision } = checkBackup(waiting);
  beginAfter(waiting, Math.max(revision, revisionOf(store) ?? revision + FAR));
  // The log belongs to the old file: without it the file is a state that once was, and with the new one it is nonsense.
  for (const suffix of ['-wal', '-shm']) rmSync(`${store}${suffix}`, { force: true });
  renameSync(waiting, store);
}

const NEWEST = 'SELECT *, max(revision) FROM revisions GROUP BY resource, namespace, name';

/** Keeps the newest state of each object only, and says that all before the next revision is compacted. */
function beginAfter(file: string, revision: number): void {
  const db = new DatabaseSync(file);
  try {
    db.exec(`BEGIN;
      DELETE FROM revisions WHERE deleted = 1 OR revision NOT IN (SELECT revision FROM (${NEWEST}));
      INSERT INTO counters VALUES ('compacted', ${revision + 1}) ON CONFLICT DO UPDATE SET value = max(value, excluded.value);
      COMMIT`);
  } finally {
    db.close();
  }
}

/** Undefined when there is none, or none that can be read. @throws PolderError store-in-use: it is not to be replaced then */
function revisionOf(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    // As the server opens it: so it is certain that no other one has it.
    Database.open(file).close();
    return reading(file, newestOf);
  } catch (error) {
    if (error instanceof PolderError && error.code === 'store-in-use') throw error;
    return undefined;
  }
}

function newestOf(db: DatabaseSync): number {
  const compacted = numberOf(db, "SELECT max(value) FROM counters WHERE name = 'compacted'");
  return Math.max(compacted, numberOf(db, 'SELECT max(revision) FROM revisions'));
}

function reading<T>(file: string, read: (db: DatabaseSync) => T): T {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file);
    return read(db);
  } catch (error) {
    if (error instanceof PolderError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new PolderError('backup-unusable', { file, reason }, { cause: error });
  } finally {
    db?.close();
  }
}

function numberOf(db: DatabaseSync, query: string): number {
  return Number(Object.values(db.prepare(query).get() ?? {})[0] ?? 0);
}
