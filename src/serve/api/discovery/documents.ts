/** OpenAPI documents as they are sent, made when they are first asked for and kept while the kinds in them stay the same. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Kinds } from '#serve/api/kinds.ts';
import type { Kind } from '#spec/kinds/kind.ts';

export interface Document {
  readonly bytes: Buffer;
  /** Of its bytes, in the form of Kubernetes' `?hash=`. */
  readonly hash: string;
}

interface Kept extends Document {
  readonly rows: readonly Kind[];
}

const kept = new WeakMap<Kinds, Map<string, Kept>>();

/** The document of that name, made of these rows. */
export function documentOf(
  kinds: Kinds,
  name: string,
  rows: readonly Kind[],
  make: () => Uint8Array | string,
): Document {
  const all = kept.get(kinds) ?? new Map<string, Kept>();
  kept.set(kinds, all);
  const found = all.get(name);
  if (found !== undefined && isSame(found.rows, rows)) return found;
  const bytes = Buffer.from(make());
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 32).toUpperCase();
  const made = { bytes, hash, rows };
  all.set(name, made);
  return made;
}

/** A row never changes: another definition makes another row. */
function isSame(one: readonly Kind[], other: readonly Kind[]): boolean {
  return one.length === other.length && one.every((row, index) => row === other[index]);
}

/** Sends a document, or says that the client has it already (RFC 9110 §13.1.2, If-None-Match). */
export function sendDocument(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, hash }: Document,
  type = 'application/json',
): void {
  const tag = `"${hash}"`;
  const headers = { ETag: tag, 'Cache-Control': 'no-cache, private', Vary: 'Accept' };
  if (request.headers['if-none-match'] === tag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, 'Content-Type': type, 'Content-Length': bytes.length }).end(bytes);
}
