/** Events of a watch as lines of JSON, in the form that its client asked for. */
import type { Api, Call } from '#serve/api/api.ts';
import { expired } from '#serve/api/http/status-error.ts';
import { readAs, textAs } from '#serve/api/storage.ts';
import type { StoredObject, StoreEvent } from '#serve/api/store/stored.ts';
import { partialMetadata } from '#serve/api/table/partial.ts';
import { includeObjectOf, tableOf } from '#serve/api/table/table.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { apiVersionOf } from '#spec/kinds/kind.ts';

export class WatchLines {
  readonly #api: Api;
  readonly #call: Call;
  #columnsSent = false;

  constructor(api: Api, call: Call) {
    this.#api = api;
    this.#call = call;
  }

  event(type: StoreEvent['type'], object: StoredObject): string {
    return `{"type":"${type}","object":${this.#textOf(object)}}\n`;
  }

  /** Says that all up to a revision was told. */
  bookmark(revision: number, annotations?: Readonly<Record<string, string>>): string {
    const { kind, wanted } = this.#call;
    const metadata: JsonObject = { resourceVersion: String(revision), creationTimestamp: null };
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
    return `{"type":"BOOKMARK","object":${JSON.stringify(object)}}\n`;
  }

  /** The event of a watch that cannot go on: 410. */
  expired(message: string): string {
    return `{"type":"ERROR","object":${JSON.stringify(expired(message).body())}}\n`;
  }

  #textOf(stored: StoredObject): string {
    const { wanted, kind, query } = this.#call;
    if (wanted.as === 'object') return textAs(kind, stored);
    const object = readAs(kind, stored);
    if (wanted.as === 'PartialObjectMetadata') return JSON.stringify(partialMetadata(object, wanted.metaVersion));
    const metadata = { resourceVersion: String(stored.revision) };
    const table = tableOf(kind, [object], metadata, this.#api.now(), wanted.metaVersion, includeObjectOf(query));
    if (this.#columnsSent) table.columnDefinitions = null;
    this.#columnsSent = true;
    return JSON.stringify(table);
  }
}
