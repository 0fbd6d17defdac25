/** Watches: events of a resource from a revision on (Kubernetes "API concepts" §Efficient detection of changes). */
import type { ServerResponse } from 'node:http';
import type { Api, Call } from '#serve/api/api.ts';
import { isTrue } from '#serve/api/http/request-info.ts';
import { badRequest, expired, invalidObject } from '#serve/api/http/status-error.ts';
import { readAs, textAs } from '#serve/api/storage.ts';
import type { StoredObject, StoreEvent } from '#serve/api/store/stored.ts';
import { partialMetadata } from '#serve/api/table/partial.ts';
import { type IncludeObject, includeObjectOf, tableOf } from '#serve/api/table/table.ts';
import { wholeNumberOf } from '#serve/api/verbs/options.ts';
import { type Selection, selectionOf } from '#serve/api/verbs/selection.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { apiVersionOf, forbidden, resourceOf } from '#spec/kinds/kind.ts';

type EventType = StoreEvent['type'];

/** A client that does not read holds at most this many bytes of ours; then it is cut off and must watch anew. */
const BACKLOG_LIMIT = 16 * 1024 * 1024;
/** Bookmarks tell clients how far they are, about once a minute. */
const BOOKMARK_EVERY = 60_000;
/** Watches without a timeout of their own end after 30 to 60 minutes, as the real server's do. */
const DEFAULT_TIMEOUT = 30 * 60;

interface WatchOptions {
  /** Undefined: begin with all objects there are. */
  readonly after: number | undefined;
  readonly bookmarks: boolean;
  /** The client wants a bookmark after the initial objects. */
  readonly endOfInitial: boolean;
  readonly timeoutSeconds: number;
  readonly include: IncludeObject;
}

/** Streams until the client goes, the timeout ends, or the server stops. @throws StatusError 400, 422 */
export function watch(api: Api, call: Call): void {
  const options = watchOptionsOf(call);
  const selection = selectionOf(call);
  const stream = new WatchStream(api, call, options);
  if (options.after !== undefined && options.after < api.store.compacted) {
    stream.fail(`too old resource version: ${options.after} (${api.store.compacted})`);
    return;
  }
  if (options.after !== undefined && options.after > api.store.revision) {
    // A revision of another store (the lab was made anew): the client must list again.
    stream.fail(`too large resource version: ${options.after} (${api.store.revision})`);
    return;
  }
  begin(api, call, options, selection, stream);
  const subscription = api.store.subscribe(resourceOf(call.kind), (event) => sendEvent(stream, event, selection));
  stream.onClose(() => subscription[Symbol.dispose]());
}

function begin(api: Api, call: Call, options: WatchOptions, selection: Selection, stream: WatchStream): void {
  const resource = resourceOf(call.kind);
  if (options.after === undefined) {
    for (const object of api.store.list(resource)) if (selection.matches(object)) stream.send('ADDED', object);
    if (options.endOfInitial) stream.bookmark({ 'k8s.io/initial-events-end': 'true' });
    return;
  }
  for (const event of api.store.after(options.after)) {
    if (event.object.resource === resource) sendEvent(stream, event, selection);
  }
}

/** An object that begins or ceases to match the selectors comes and goes for this client. */
function sendEvent(stream: WatchStream, event: StoreEvent, selection: Selection): void {
  const now = event.type !== 'DELETED' && selection.matches(event.object);
  const before = event.before !== undefined && selection.matches(event.before);
  if (now) stream.send(before ? 'MODIFIED' : 'ADDED', event.object);
  else if (before) stream.send('DELETED', event.object);
}

function watchOptionsOf(call: Call): WatchOptions {
  const { query } = call;
  const after = wholeNumberOf(query, 'resourceVersion') ?? 0;
  const initial = query.get('sendInitialEvents');
  const match = query.get('resourceVersionMatch') ?? '';
  const timeout = wholeNumberOf(query, 'timeoutSeconds') ?? 0;
  if (initial !== null && match !== 'NotOlderThan') {
    const detail = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
    throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [forbidden('resourceVersionMatch', detail)]);
  }
  if (initial === null && match !== '')
    throw badRequest('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  return {
    after: initial === null ? after || undefined : isTrue(initial) ? undefined : after || undefined,
    bookmarks: isTrue(query.get('allowWatchBookmarks') ?? 'false'),
    endOfInitial: initial !== null && isTrue(initial),
    timeoutSeconds: timeout > 0 ? timeout : DEFAULT_TIMEOUT * (1 + Math.random()),
    include: includeObjectOf(query),
  };
}

/** The answer of one watch: a line of JSON an event, written once a turn of the event loop. */
class WatchStream {
  readonly #api: Api;
  readonly #call: Call;
  readonly #options: WatchOptions;
  readonly #response: ServerResponse;
  readonly #cleanups: (() => void)[] = [];
  #pending: string[] = [];
  #columnsSent = false;

  constructor(api: Api, call: Call, options: WatchOptions) {
    this.#api = api;
    this.#call = call;
    this.#options = options;
    this.#response = call.response;
    this.#response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
    this.#response.flushHeaders();
    this.#begin();
  }

  onClose(cleanup: () => void): void {
    if (this.#response.destroyed) cleanup();
    else this.#cleanups.push(cleanup);
  }

  send(type: EventType, object: StoredObject): void {
    this.#line(`{"type":"${type}","object":${this.#textOf(object)}}\n`);
  }

  bookmark(annotations?: Readonly<Record<string, string>>): void {
    const { kind, wanted } = this.#call;
    const metadata: JsonObject = { resourceVersion: String(this.#api.store.revision), creationTimestamp: null };
    if (annotations !== undefined) metadata.annotations = { ...annotations };
    const own = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
    const partial = { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${wanted.metaVersion}`, metadata };
    const table = {
      kind: 'Table',
      apiVersion: `meta.k8s.io/${wanted.metaVersion}`,
      metadata: { resourceVersion: metadata.resourceVersion },
      columnDefinitions: null,
      rows: [{ cells: [], object: partial }],
    };
    const object = wanted.as === 'Table' ? table : wanted.as === 'PartialObjectMetadata' ? partial : own;
    this.#line(`{"type":"BOOKMARK","object":${JSON.stringify(object)}}\n`);
  }

  /** Ends the watch with 410: the client lists anew. */
  fail(message: string): void {
    this.#line(`{"type":"ERROR","object":${JSON.stringify(expired(message).body())}}\n`);
    this.#end();
  }

  #begin(): void {
    const timers = [setTimeout(() => this.#timeout(), this.#options.timeoutSeconds * 1000)];
    if (this.#options.bookmarks) timers.push(setInterval(() => this.bookmark(), BOOKMARK_EVERY));
    const stop = (): void => this.#end();
    this.#api.signal.addEventListener('abort', stop);
    this.#response.on('close', () => {
      for (const timer of timers) clearTimeout(timer);
      this.#api.signal.removeEventListener('abort', stop);
      for (const cleanup of this.#cleanups) cleanup();
    });
  }

  #timeout(): void {
    if (this.#options.bookmarks) this.bookmark();
    this.#end();
  }

  #end(): void {
    this.#flush();
    this.#response.end();
  }

  #textOf(stored: StoredObject): string {
    const { wanted, kind } = this.#call;
    if (wanted.as === 'object') return textAs(kind, stored);
    const object = readAs(kind, stored);
    if (wanted.as === 'PartialObjectMetadata') return JSON.stringify(partialMetadata(object, wanted.metaVersion));
    const metadata = { resourceVersion: String(stored.revision) };
    const table = tableOf(kind, [object], metadata, this.#api.now(), wanted.metaVersion, this.#options.include);
    if (this.#columnsSent) table.columnDefinitions = null;
    this.#columnsSent = true;
    return JSON.stringify(table);
  }

  #line(text: string): void {
    this.#pending.push(text);
    if (this.#pending.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const text = this.#pending.join('');
    this.#pending = [];
    if (text === '' || this.#response.writableEnded || this.#response.destroyed) return;
    this.#response.write(text);
    if (this.#response.writableLength > BACKLOG_LIMIT) this.#response.destroy();
  }
}
