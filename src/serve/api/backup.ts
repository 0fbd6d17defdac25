/** The store as a file, for those who may have all of it: `GET /polder/v1/backup`. */
import { randomUUID } from 'node:crypto';
import { createReadStream, openSync, readdirSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Api } from '#serve/api/api.ts';

/** Nobody has it by a default role; `system:masters` have everything. */
export const BACKUP_PATH = '/polder/v1/backup';

/** Sends a copy of the store as it is now. @throws PolderError store-full, Error when the copy cannot be made */
export async function sendBackup(api: Api, response: ServerResponse): Promise<void> {
  const copy = `${api.store.file}${COPY}${randomUUID()}`;
  try {
    api.store.copyTo(copy);
    const stream = createReadStream('', { fd: openSync(copy, 'r') });
    // Nobody else needs its name: it is gone with its reader, whatever becomes of that.
    rmSync(copy);
    response.writeHead(200, { 'Content-Type': 'application/vnd.sqlite3' });
    await pipeline(stream, response);
  } finally {
    rmSync(copy, { force: true });
  }
}

/** Removes copies that a server that was killed had not finished. */
export function dropCopies(storeFile: string): void {
  const begin = `${basename(storeFile)}${COPY}`;
  for (const name of readdirSync(dirname(storeFile))) {
    if (name.startsWith(begin)) rmSync(join(dirname(storeFile), name), { force: true });
  }
}

const COPY = '.copy-';
