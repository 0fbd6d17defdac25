/** Reading the body of a request: bounded, and as JSON or YAML. */
import type { IncomingMessage } from 'node:http';
import { duplicateFields } from '#serve/api/http/duplicates.ts';
import { badRequest, tooLarge, unsupportedMediaType } from '#serve/api/http/status-error.ts';
import { isObject, type Json, type JsonObject } from '#spec/kinds/json.ts';

/** etcd's limit for a request, which Kubernetes takes over: 3 MiB. */
export const BODY_LIMIT = 3 * 1024 * 1024;

/** The whole body. @throws StatusError 413 when it is longer than the limit, 400 when the client goes away */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > BODY_LIMIT) return Promise.reject(tooLarge(BODY_LIMIT));
  const chunks: Buffer[] = [];
  let size = 0;
  // Events rather than iteration: that would destroy the connection with the request, and the answer with it.
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
    else reject(tooLarge(BODY_LIMIT));
  });
  request.on('end', () => resolve(Buffer.concat(chunks)));
  request.on('close', () => reject(badRequest('the request ended too early')));
  return promise;
}

/** `application/json; charset=utf-8` -> `application/json`. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** A body as a value, and what a careful reader would say of its text: keys that stand twice. */
export interface ParsedBody<T extends Json = Json> {
  readonly value: T;
  readonly duplicates: readonly string[];
}

/** The value of a body by its media type. @throws StatusError 400 (malformed), 415 (none of the accepted) */
export async function parseBody(body: Buffer, mediaType: string): Promise<ParsedBody> {
  switch (mediaType) {
    case 'application/vnd.kubernetes.protobuf':
      return { value: await parseProtobuf(body), duplicates: [] };
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return await parseYamlText(body.toString('utf8'));
    case '':
    case 'application/json':
    // curl -d sends this unless told otherwise.
    case 'application/x-www-form-urlencoded':
      return parseJson(body.toString('utf8'));
    default:
      throw unsupportedMediaType(mediaType, ACCEPTED);
  }
}

/** @throws StatusError 400 */
export function parseJson(text: string): ParsedBody {
  const value = attempt((): Json => JSON.parse(text), 'the object provided is unrecognized');
  const duplicates = duplicateFields(text).map((path) => `duplicate field ${JSON.stringify(path)}`);
  return { value, duplicates };
}

async function parseYamlText(text: string): Promise<ParsedBody> {
  const { parseYaml } = await import('#serve/api/http/yaml.ts');
  return attempt(() => parseYaml(text), 'error converting YAML to JSON');
}

async function parseProtobuf(body: Buffer): Promise<Json> {
  const { decodeProtobuf } = await import('#serve/api/protobuf/decode.ts');
  return attempt((): Json => decodeProtobuf(body), 'the object provided is unrecognized');
}

/** @throws StatusError 400 with the reader's own words */
function attempt<T>(read: () => T, what: string): T {
  try {
    return read();
  } catch (error) {
    throw badRequest(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @throws StatusError 400 when it is no object */
export function requireObject(value: Json): JsonObject {
  if (isObject(value)) return value;
  throw badRequest('the object provided is unrecognized: it must be a JSON object');
}

/** @throws StatusError 400 when it is no object */
export function objectBody({ value, duplicates }: ParsedBody): ParsedBody<JsonObject> {
  return { value: requireObject(value), duplicates };
}

/** The object that a request carries. @throws StatusError 400, 413, 415 */
export async function readObject(request: IncomingMessage): Promise<JsonObject> {
  return (await readParsed(request)).value;
}

/** The same with what is to be said of its text. @throws StatusError 400, 413, 415 */
export async function readParsed(request: IncomingMessage): Promise<ParsedBody<JsonObject>> {
  return objectBody(await parseBody(await readBody(request), mediaTypeOf(request)));
}
