/** Lists: whole or in pages, of now or of a revision (Kubernetes "API concepts" §Semantics for get and list). */
import type { Api, Call } from '#serve/api/api.ts';
import { sendText } from '#serve/api/http/respond.ts';
import { badRequest, expired, StatusError } from '#serve/api/http/status-error.ts';
import { readAs, textAs } from '#serve/api/storage.ts';
import type { StoredObject } from '#serve/api/store/stored.ts';
import { pathOf } from '#serve/api/store/stored.ts';
import { partialMetadata } from '#serve/api/table/partial.ts';
import { includeObjectOf, tableOf } from '#serve/api/table/table.ts';
import { answerText } from '#serve/api/verbs/answer.ts';
import { wholeNumberOf } from '#serve/api/verbs/options.ts';
import { selectionOf } from '#serve/api/verbs/selection.ts';
import { type JsonObject, numberAt, textAt } from '#spec/kinds/json.ts';
import { apiVersionOf, listKindOf, resourceOf } from '#spec/kinds/kind.ts';

interface Page {
  readonly items: readonly StoredObject[];
  /** `metadata` of the list. */
  readonly metadata: JsonObject;
}

/** @throws StatusError 400, 410 (the revision is compacted), 504 (it is not reached yet) */
export async function list(api: Api, call: Call): Promise<void> {
  const page = pageOf(api, call);
  const text = listText(api, call, page);
  await answerText(call, 200, text, sendText);
}

function listText(api: Api, call: Call, { items, metadata }: Page): string {
  const { kind, wanted } = call;
  if (wanted.as === 'Table') {
    return JSON.stringify(
      tableOf(
        kind,
        items.map((item) => readAs(kind, item)),
        metadata,
        api.now(),
        wanted.metaVersion,
        includeObjectOf(call.query),
      ),
    );
  }
  if (wanted.as === 'PartialObjectMetadata') {
    const apiVersion = `meta.k8s.io/${wanted.metaVersion}`;
    const partial = items.map((item) => partialMetadata(readAs(kind, item), wanted.metaVersion));
    return JSON.stringify({ kind: 'PartialObjectMetadataList', apiVersion, metadata, items: partial });
  }
  const head = `{"kind":"${listKindOf(kind)}","apiVersion":"${apiVersionOf(kind)}","metadata":${JSON.stringify(metadata)},"items":[`;
  return `${head}${items.map((item) => textAs(kind, item)).join(',')}]}`;
}

function pageOf(api: Api, call: Call): Page {
  const limit = wholeNumberOf(call.query, 'limit') ?? 0;
  const token = call.query.get('continue') ?? '';
  const from = token === '' ? { revision: revisionOf(api, call.query), start: '' } : readToken(token);
  if (from.revision < api.store.compacted) {
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
    );
  }
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

function revisionOf(api: Api, query: URLSearchParams): number {
  const asked = wholeNumberOf(query, 'resourceVersion') ?? 0;
  const match = query.get('resourceVersionMatch') ?? '';
  if (!['', 'Exact', 'NotOlderThan'].includes(match))
    throw badRequest(`resourceVersionMatch: Unsupported value: "${match}"`);
  if (asked > api.store.revision) throw tooLargeRevision(asked, api.store.revision);
  if (match !== 'Exact') return api.store.revision;
  if (asked < api.store.compacted) throw expired(`The resourceVersion for the provided list is too old: ${asked}`);
  return asked;
}

/** As the real server says that it has not seen a revision yet; clients try again. */
export function tooLargeRevision(asked: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

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
