/** Writing answers. */
import type { ServerResponse } from 'node:http';
import type { StatusError } from '#serve/api/http/status-error.ts';
import type { Json } from '#spec/kinds/json.ts';

/** Sends JSON text as it is. */
export function sendText(response: ServerResponse, code: number, text: string, type = 'application/json'): void {
  const body = Buffer.from(text);
  response.writeHead(code, {
    'Content-Type': type,
    'Content-Length': body.length,
    'Cache-Control': 'no-cache, private',
  });
  response.end(body);
}

/**
 * Sends JSON piece by piece, no faster than the client reads; a single piece with its length. A client that does not
 * read on within `stallMs` is cut off.
 */
export async function sendPieces(
  response: ServerResponse,
  pieces: Iterator<string, void>,
  stallMs: number,
): Promise<void> {
  const first = pieces.next().value ?? '';
  let next = pieces.next();
  if (next.done === true) {
    sendText(response, 200, first);
    return;
  }
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  for (let more = response.write(first); next.done !== true; next = pieces.next()) {
    if (!more) await drained(response, stallMs);
    if (response.destroyed) return;
    more = response.write(next.value);
  }
  response.end();
}

/** When the client has read on, or is gone. */
function drained(response: ServerResponse, stallMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cut = setTimeout(() => response.destroy(), stallMs);
  const done = (): void => {
    clearTimeout(cut);
    response.off('drain', done).off('close', done);
    resolve();
  };
  response.on('drain', done).on('close', done);
  return promise;
}

/** Cuts off a client that does not read the end of its answer within `stallMs`. */
export function cutUnlessRead(response: ServerResponse, stallMs: number): void {
  if (!response.writableEnded || response.writableFinished) return;
  const cut = setTimeout(() => response.destroy(), stallMs);
  response.once('close', () => clearTimeout(cut)).once('finish', () => clearTimeout(cut));
}

export function sendJson(response: ServerResponse, code: number, value: Json): void {
  sendText(response, code, JSON.stringify(value));
}

/** Sends a failure; after the head is out only the connection can say it. */
export function sendError(response: ServerResponse, error: StatusError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error.code === 413) response.setHeader('Connection', 'close');
  sendJson(response, error.code, error.body());
}

/** Adds a warning that kubectl prints (RFC 9111 §5.5, code 299). */
export function addWarning(response: ServerResponse, text: string): void {
  const quoted = text.replace(/[\\"]/g, '\\$&').replace(/[^\x20-\x7e]/g, '?');
  response.appendHeader('Warning', `299 - "${quoted}"`);
}
