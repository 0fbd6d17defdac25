/** Watches: events of a resource from a revision on (Kubernetes "API concepts" §Efficient detection of changes). */
import type { Api, Call } from '#serve/api/api.ts';
import { isTrue } from '#serve/api/http/request-info.ts';
import { notAcceptable, tooLargeRevision } from '#serve/api/http/status-error.ts';
import type { StoredObject, StoreEvent } from '#serve/api/store/stored.ts';
import { invalidOptions, wholeNumberOf } from '#serve/api/verbs/options.ts';
import { type Selection, selectionOf } from '#serve/api/verbs/selection.ts';
import { WatchLines } from '#serve/api/verbs/watch-lines.ts';
import { WatchStream } from '#serve/api/verbs/watch-stream.ts';
import { forbidden, resourceOf } from '#spec/kinds/kind.ts';

/** Watches without a timeout of their own end after 30 to 60 minutes, as the real server's do. */
const DEFAULT_TIMEOUT = 30 * 60;
/** Characters that are written at a time. */
const PIECE = 128 * 1024;

interface WatchOptions {
  /** Undefined: begin with all objects there are. */
  readonly after: number | undefined;
  readonly bookmarks: boolean;
  /** The client wants a bookmark after the initial objects. */
  readonly endOfInitial: boolean;
  readonly timeoutSeconds: number;
}

/** Streams until the client goes or ceases to read, the timeout ends, or the server stops. @throws StatusError 400, 422 */
export function watch(api: Api, call: Call): void {
  const options = watchOptionsOf(api, call);
  const watching = new Watch(api, call, options, selectionOf(call));
  if (options.after !== undefined && options.after > api.store.revision) {
    // A revision of another store (the lab was made anew): the client must list again.
    watching.fail(`too large resource version: ${options.after} (${api.store.revision})`);
  } else watching.begin();
}

/**
 * One watch. What it has still to tell is kept as a place (the rest of the initial objects, then a revision), never as
 * text: a client that reads slowly costs no more than one that keeps up.
 */
class Watch {
  readonly #api: Api;
  readonly #resource: string;
  readonly #options: WatchOptions;
  readonly #selection: Selection;
  readonly #lines: WatchLines;
  readonly #stream: WatchStream;
  /** Initial objects that are not told yet. */
  #initial: Iterator<StoredObject, void> | undefined;
  /** All up to this revision is told, once the initial objects are. */
  #told: number;
  #isScheduled = false;

  constructor(api: Api, call: Call, options: WatchOptions, selection: Selection) {
    this.#api = api;
    this.#resource = resourceOf(call.kind);
    this.#options = options;
    this.#selection = selection;
    this.#lines = new WatchLines(api, call);
    this.#told = options.after ?? api.store.revision;
    if (options.after === undefined) this.#initial = api.store.list(this.#resource).filter(selection.matches).values();
    this.#stream = new WatchStream(api, call.response, {
      timeoutMs: options.timeoutSeconds * 1000,
      drained: () => this.#tell(),
      minute: () => this.#bookmark(),
      ends: () => this.#bookmark(),
    });
  }

  begin(): void {
    const subscription = this.#api.store.subscribe(this.#resource, () => this.#schedule());
    this.#stream.onClose(() => subscription[Symbol.dispose]());
    this.#tell();
  }

  /** Ends the watch with 410: the client lists anew. */
  fail(message: string): void {
    this.#stream.write(this.#lines.expired(message));
    this.#stream.end();
  }

  /** Events of one turn of the event loop are written together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#tell();
    });
  }

  /** Tells on, until all is told or the client must read first. */
  #tell(): void {
    while (this.#initial !== undefined && this.#stream.isReading) this.#tellInitial(this.#initial);
    if (!this.#stream.isReading) return;
    if (this.#told < this.#api.store.compacted) {
      this.fail(`too old resource version: ${this.#told} (${this.#api.store.compacted})`);
    } else this.#tellEvents();
  }

  /** One piece of the initial objects. */
  #tellInitial(initial: Iterator<StoredObject, void>): void {
    let piece = '';
    while (piece.length < PIECE) {
      const { value } = initial.next();
      if (value === undefined) {
        this.#initial = undefined;
        if (this.#options.endOfInitial)
          piece += this.#lines.bookmark(this.#told, { 'k8s.io/initial-events-end': 'true' });
        break;
      }
      piece += this.#lines.event('ADDED', value);
    }
    this.#stream.write(piece);
  }

  #tellEvents(): void {
    let piece = '';
    for (const event of this.#api.store.after(this.#told)) {
      if (event.object.resource === this.#resource) piece += this.#lineOf(event);
      this.#told = event.object.revision;
      if (piece.length < PIECE) continue;
      this.#stream.write(piece);
      piece = '';
      if (!this.#stream.isReading) return;
    }
    this.#stream.write(piece);
  }

  /** An object that begins or ceases to match the selectors comes and goes for this client. */
  #lineOf(event: StoreEvent): string {
    const now = event.type !== 'DELETED' && this.#selection.matches(event.object);
    const before = event.before !== undefined && this.#selection.matches(event.before);
    if (now) return this.#lines.event(before ? 'MODIFIED' : 'ADDED', event.object);
    return before ? this.#lines.event('DELETED', event.object) : '';
  }

  /** Says how far the client is; nothing while it must read first. */
  #bookmark(): void {
    if (!this.#options.bookmarks) return;
    this.#tell();
    if (this.#stream.isReading) this.#stream.write(this.#lines.bookmark(this.#told));
  }
}

function watchOptionsOf(api: Api, call: Call): WatchOptions {
  const { query } = call;
  checkWatchOptions(query);
  if (call.wanted.format !== 'json') throw notAcceptable(['application/json']);
  const bookmarks = isTrue(query.get('allowWatchBookmarks') ?? 'false');
  const wantsInitial = isTrue(query.get('sendInitialEvents') ?? 'false');
  const timeout = wholeNumberOf(query, 'timeoutSeconds') ?? 0;
  return {
    after: beginningOf(api, query),
    bookmarks,
    endOfInitial: bookmarks && wantsInitial,
    timeoutSeconds: timeout > 0 ? timeout : DEFAULT_TIMEOUT * (1 + Math.random()),
  };
}

/** @throws StatusError 422 for options that contradict one another */
function checkWatchOptions(query: URLSearchParams): void {
  const match = query.get('resourceVersionMatch') ?? '';
  const why = query.has('sendInitialEvents')
    ? 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'
    : 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
  if ((match === 'NotOlderThan') === query.has('sendInitialEvents') && (match === '' || match === 'NotOlderThan'))
    return;
  throw invalidOptions('ListOptions', [forbidden('resourceVersionMatch', why)]);
}

/**
 * The revision after which events are sent, undefined for all objects there are first (Kubernetes "API concepts"
 * §Streaming lists). @throws StatusError 504 when the objects should be newer than any are
 */
function beginningOf(api: Api, query: URLSearchParams): number | undefined {
  const asked = wholeNumberOf(query, 'resourceVersion') ?? 0;
  const initial = query.get('sendInitialEvents');
  if (initial === null) return asked || undefined;
  if (!isTrue(initial)) return asked || api.store.revision;
  if (asked > api.store.revision) throw tooLargeRevision(asked, api.store.revision);
  return undefined;
}
