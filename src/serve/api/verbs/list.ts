/** Lists: whole or in pages, of now or of a revision (Kubernetes "API concepts" §Semantics for get and list). */
import type { Api, Call } from '#serve/api/api.ts';
import { sendPieces, sendText } from '#serve/api/http/respond.ts';
import { badRequest, expired, type StatusError, tooLargeRevision } from '#serve/api/http/status-error.ts';
import { readAs, textAs } from '#serve/api/storage.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';
import { pathOf } from '#serve/api/store/stored.ts';
import { partialMetadata } from '#serve/api/table/partial.ts';
import { columnsOf, includeObjectOf, rowOf } from '#serve/api/table/table.ts';
import { answerText } from '#serve/api/verbs/answer.ts';
import { invalidOptions, wholeNumberOf } from '#serve/api/verbs/options.ts';
import { selectionOf } from '#serve/api/verbs/selection.ts';
import { type JsonObject, numberAt, textAt } from '#spec/kinds/json.ts';
import { apiVersionOf, type FieldError, forbidden, listKindOf, resourceOf, unsupported } from '#spec/kinds/kind.ts';

interface Page {
  readonly items: readonly StoredObject[];
  /** `metadata` of the list. */
  readonly metadata: JsonObject;
}

/** @throws StatusError 400, 410 (the revision is compacted), 504 (it is not reached yet) */
export async function list(api: Api, call: Call): Promise<void> {
  await answerPage(api, call, pageOf(api, call));
}

/** A list of what is stored nowhere, whole. @throws StatusError 400 */
export async function listMade(api: Api, call: Call, all: readonly StoredObject[]): Promise<void> {
  const { matches } = selectionOf(call);
  const items = all.filter(matches).toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1));
  await answerPage(api, call, { items, metadata: {} });
}

async function answerPage(api: Api, call: Call, page: Page): Promise<void> {
  const shape = shapeOf(api, call, page);
  if (call.wanted.format === 'json') await sendPieces(call.response, piecesOf(shape), api.limits.stallMs);
  else await answerText(call, 200, [...piecesOf(shape)].join(''), sendText);
}

/** A list as JSON: what is before its items, each item, what is after them. */
interface ListShape {
  readonly head: string;
  readonly items: Iterable<string>;
  readonly tail: string;
}

function shapeOf(api: Api, call: Call, { items, metadata }: Page): ListShape {
  const { kind, wanted } = call;
  const apiVersion = `meta.k8s.io/${wanted.metaVersion}`;
  const of = (fields: JsonObject, name: string): string =>
    `${JSON.stringify({ ...fields, metadata }).slice(0, -1)},"${name}":[`;
  if (wanted.as === 'Table') {
    const now = api.now();
    const include = includeObjectOf(call.query);
    const rows = items
      .values()
      .map((item) => JSON.stringify(rowOf(kind, readAs(kind, item), now, wanted.metaVersion, include)));
    return {
      head: of({ kind: 'Table', apiVersion, columnDefinitions: columnsOf(kind) }, 'rows'),
      items: rows,
      tail: ']}',
    };
  }
  if (wanted.as === 'PartialObjectMetadata') {
    const partial = items
      .values()
      .map((item) => JSON.stringify(partialMetadata(readAs(kind, item), wanted.metaVersion)));
    return { head: of({ kind: 'PartialObjectMetadataList', apiVersion }, 'items'), items: partial, tail: ']}' };
  }
  const texts = items.values().map((item) => textAs(kind, item));
  return { head: of({ kind: listKindOf(kind), apiVersion: apiVersionOf(kind) }, 'items'), items: texts, tail: ']}' };
}

/** Characters that are written at a time: a large list is never in memory as a whole. */
const PIECE = 128 * 1024;

function* piecesOf({ head, items, tail }: ListShape): Generator<string> {
  let piece = head;
  let comma = '';
  for (const item of items) {
    piece += comma + item;
    comma = ',';
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield piece + tail;
}

function pageOf(api: Api, call: Call): Page {
  const limit = wholeNumberOf(call.query, 'limit') ?? 0;
  const from = startOf(api, call.query, limit);
  const { matches, selective } = selectionOf(call);
  const all = api.store
    .listAt(resourceOf(call.kind), from.revision)
    .filter((item) => pathOf(item) >= from.start && matches(item));
  const metadata: JsonObject = { resourceVersion: String(from.revision) };
  if (limit === 0 || all.length <= limit) return { items: all, metadata };
  const next = all[limit];
  metadata.continue = next === undefined ? '' : writeToken(from.revision, pathOf(next));
  if (!selective) metadata.remainingItemCount = all.length - limit;
  return { items: all.slice(0, limit), metadata };
}

interface Start {
  /** Of which the list shows the state. */
  readonly revision: number;
  /** The first path of the page. */
  readonly start: string;
}

function startOf(api: Api, query: URLSearchParams, limit: number): Start {
  checkListOptions(query);
  const token = query.get('continue') ?? '';
  if (token === '') return { revision: revisionOf(api, query, limit), start: '' };
  const asked = query.get('resourceVersion') ?? '';
  if (asked !== '' && asked !== '0') throw badRequest('specifying resource version is not allowed when using continue');
  const { revision, start } = readToken(token);
  if (revision === NEWEST) return { revision: api.store.revision, start };
  if (revision < api.store.compacted) throw tooOldToContinue(start);
  return { revision, start };
}

/** @throws StatusError 422 for options that contradict one another */
function checkListOptions(query: URLSearchParams): void {
  const [version, match] = [query.get('resourceVersion') ?? '', query.get('resourceVersionMatch') ?? ''];
  const problems: FieldError[] = [];
  const forbid = (field: string, why: string): void => void problems.push(forbidden(field, why));
  if (query.has('sendInitialEvents')) forbid('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  const field = 'resourceVersionMatch';
  if (match !== '' && query.get('continue')) forbid(field, `${field} is forbidden when continue is provided`);
  if (match !== '' && version === '') forbid(field, `${field} is forbidden unless resourceVersion is provided`);
  if (match === 'Exact' && version === '0') forbid(field, `${field} "Exact" is forbidden for resourceVersion "0"`);
  if (match !== '' && !MATCHES.includes(match)) problems.push(unsupported(field, match, MATCHES));
  if (problems.length > 0) throw invalidOptions('ListOptions', problems);
}

const MATCHES = ['Exact', 'NotOlderThan'];

/** Kubernetes "API concepts" §Semantics for get and list: a limit without a match means that very revision. */
function revisionOf(api: Api, query: URLSearchParams, limit: number): number {
  const asked = wholeNumberOf(query, 'resourceVersion') ?? 0;
  if (asked > api.store.revision) throw tooLargeRevision(asked, api.store.revision);
  const match = query.get('resourceVersionMatch') ?? '';
  const exact = match === 'Exact' || (match === '' && limit > 0 && asked > 0);
  if (!exact) return api.store.revision;
  if (asked < api.store.compacted) throw expired(`The resourceVersion for the provided list is too old: ${asked}`);
  return asked;
}

/** Its token goes on all the same, with the objects of now: whoever can live with such a list may use it. */
function tooOldToContinue(start: string): StatusError {
  return expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
      'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
      'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
      'deleted between the time the first chunk was returned and now may show up in the list.',
    writeToken(NEWEST, start),
  );
}

/** Stands in a token for whatever revision is the newest. */
const NEWEST = -1;

function writeToken(revision: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url');
}

function readToken(token: string): { readonly revision: number; readonly start: string } {
  try {
    const value: JsonObject = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    const revision = numberAt(value, 'rv');
    if (revision !== undefined) return { revision, start: textAt(value, 'start') };
  } catch {
    // Answered below.
  }
  throw badRequest('continue key is not valid');
}
