/**
 * A client of the Kubernetes API: objects in, objects out, JSON on the wire.
 *
 * Every method throws `ApiError` (the server refused, with its Status) or `ApiUnreachable` (no answer); it never
 * retries what might have been done. API conventions: Kubernetes "API Concepts" and "API Conventions".
 */

import type { ApiConfig } from '#feed/api-config.ts';
import { ApiError, ApiUnreachable, isNotFound } from '#feed/api-error.ts';
import { jsonLines } from '#feed/json-lines.ts';
import { type HttpRequest, nameOf, Transport, type TransportOptions } from '#feed/transport.ts';
import type { KubeList, KubeObject, ObjectKey, Resource, Status } from '#spec/k8s.ts';

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  /** `app=web,tier!=db`. */
  readonly labelSelector?: string;
  /** `spec.nodeName=node1`. */
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly signal?: AbortSignal;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version; absent: first every object as ADDED. */
  readonly resourceVersion?: string;
  /** The server ends the watch after this; absent: as the server likes. */
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface DeleteOptions {
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly gracePeriodSeconds?: number;
  /** Only if the object is still this one. */
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export type PatchType = 'merge' | 'json' | 'strategic';

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Nothing changed, but everything up to this version has been seen. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};

export class ApiClient implements Disposable {
  readonly config: ApiConfig;
  readonly #transport: Transport;

  constructor(config: ApiConfig, options: TransportOptions = {}) {
    this.config = config;
    this.#transport = new Transport(config, options);
  }

  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, signal?: AbortSignal): Promise<T> {
    return this.request<T>('GET', pathOf(resource, key), signal === undefined ? {} : { signal });
  }

  /** As `get`, but undefined when there is none. */
  async find<T extends KubeObject>(resource: Resource<T>, key: ObjectKey): Promise<T | undefined> {
    try {
      return await this.get(resource, key);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const { namespace, signal, ...query } = options;
    const path = pathOf(resource, namespace === undefined ? {} : { namespace }) + queryOf(query);
    return this.request<KubeList<T>>('GET', path, signal === undefined ? {} : { signal });
  }

  create<T extends KubeObject>(resource: Resource<T>, object: T, subresource?: string): Promise<T> {
    const { namespace, name } = object.metadata;
    const named = subresource === undefined || name === undefined ? {} : { name };
    return this.request<T>('POST', pathOf(resource, { ...inNamespace(namespace), ...named }, subresource), {
      body: object,
    });
  }

  /** Replaces the object; with `metadata.resourceVersion` only if nobody wrote since (else 409 Conflict). */
  update<T extends KubeObject>(resource: Resource<T>, object: T, subresource?: string): Promise<T> {
    const { namespace, name = '' } = object.metadata;
    return this.request<T>('PUT', pathOf(resource, { ...inNamespace(namespace), name }, subresource), { body: object });
  }

  updateStatus<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.update(resource, object, 'status');
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: unknown,
    options: { readonly type?: PatchType; readonly subresource?: string } = {},
  ): Promise<T> {
    return this.request<T>('PATCH', pathOf(resource, key, options.subresource), {
      body: patch,
      contentType: PATCH_TYPES[options.type ?? 'merge'],
    });
  }

  /** The object as it is now being deleted, or a Status of success once it is gone. */
  delete<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: DeleteOptions = {},
  ): Promise<T | Status> {
    const { uid, resourceVersion, ...rest } = options;
    const preconditions = { ...(uid === undefined ? {} : { uid }), ...(resourceVersion ? { resourceVersion } : {}) };
    return this.request<T | Status>('DELETE', pathOf(resource, key), {
      body: {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        ...rest,
        ...(Object.keys(preconditions).length > 0 ? { preconditions } : {}),
      },
    });
  }

  /**
   * Events until the server ends the watch (the generator returns) or the signal ends it (it returns too).
   * @throws ApiError also for an ERROR event inside the stream (410: list again).
   * @throws ApiUnreachable when the connection breaks or a line is cut off.
   */
  async *watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions = {}): AsyncGenerator<WatchEvent<T>> {
    const { namespace, signal, ...query } = options;
    const selector = queryOf({ watch: true, allowWatchBookmarks: true, ...query });
    const path = pathOf(resource, inNamespace(namespace)) + selector;
    const request: HttpRequest = { method: 'GET', path, ...(signal === undefined ? {} : { signal }) };
    try {
      const response = await this.#transport.open(request, 'stream');
      if (response.statusCode !== 200) throw await refusal(request, response.statusCode ?? 0, response);
      for await (const line of jsonLines(response)) yield eventOf<T>(request, line);
    } catch (error) {
      if (signal?.aborted) return;
      throw error instanceof ApiError || error instanceof ApiUnreachable
        ? error
        : new ApiUnreachable(nameOf(request), error);
    }
  }

  /** Any request by path, such as `/version` or `/apis`. */
  async request<T>(
    method: string,
    path: string,
    options: { readonly body?: unknown; readonly contentType?: string; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const request: HttpRequest = {
      method,
      path,
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.contentType === undefined ? {} : { contentType: options.contentType }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const { status, body } = await this.#transport.exchange(request);
    if (status < 200 || status > 299) throw new ApiError(nameOf(request), statusFrom(status, body));
    return jsonOf<T>(request, body);
  }

  /** Ends every connection, watches too. */
  close(): void {
    this.#transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** `/api/v1/namespaces/default/pods/web/status`. */
export function pathOf(
  resource: Resource<KubeObject>,
  key: { readonly namespace?: string; readonly name?: string } = {},
  subresource?: string,
): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const parts = [root];
  if (resource.namespaced && key.namespace !== undefined) parts.push('namespaces', encodeURIComponent(key.namespace));
  parts.push(resource.plural);
  if (key.name !== undefined) parts.push(encodeURIComponent(key.name));
  if (subresource !== undefined) parts.push(subresource);
  return parts.join('/');
}

function queryOf(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) params.set(key, String(value));
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

function inNamespace(namespace: string | undefined): { readonly namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function jsonOf<T>(request: HttpRequest, body: string): T {
  try {
    // What the server says an object is, is taken for it: validation is the server's part.
    return JSON.parse(body) as T;
  } catch (error) {
    throw new ApiUnreachable(nameOf(request), error);
  }
}

/** The Status that the body holds, or one made of what a proxy or a foreign server said. */
function statusFrom(code: number, body: string): Status {
  try {
    const status: unknown = JSON.parse(body);
    if (isStatus(status)) return { ...status, code: status.code ?? code };
  } catch {
    // Not JSON: the text below says what it was.
  }
  return { kind: 'Status', code, message: `HTTP ${code}: ${body.slice(0, 300).trim() || 'no text'}` };
}

async function refusal(request: HttpRequest, code: number, body: AsyncIterable<Buffer | string>): Promise<ApiError> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return new ApiError(nameOf(request), statusFrom(code, Buffer.concat(chunks).toString('utf8')));
}

function eventOf<T extends KubeObject>(request: HttpRequest, line: unknown): WatchEvent<T> {
  const event = line as { readonly type?: unknown; readonly object?: unknown };
  if (event.type === 'ERROR') {
    throw new ApiError(nameOf(request), isStatus(event.object) ? event.object : { kind: 'Status', code: 500 });
  }
  const object = event.object as T | undefined;
  if (typeof object !== 'object' || object === null || typeof object.metadata !== 'object') {
    throw new ApiUnreachable(nameOf(request), new Error(`a watch event without an object: ${JSON.stringify(line)}`));
  }
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object };
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: object.metadata.resourceVersion ?? '' };
    default:
      throw new ApiUnreachable(nameOf(request), new Error(`a watch event of unknown type ${String(event.type)}`));
  }
}

export function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'Status';
}
