/** Answering with one object, in the form that the client wants. */
import type { ServerResponse } from 'node:http';
import type { Api, Call } from '#serve/api/api.ts';
import { sendText } from '#serve/api/http/respond.ts';
import { partialMetadata } from '#serve/api/table/partial.ts';
import { includeObjectOf, tableOf } from '#serve/api/table/table.ts';
import type { JsonObject } from '#spec/kinds/json.ts';
import { textAt } from '#spec/kinds/json.ts';
import type { KubeObject } from '#spec/kinds/kind.ts';

type Send = (response: ServerResponse, code: number, text: string, type?: string) => void;

/** Sends JSON text, as YAML where that was asked for. */
export async function answerText(call: Call, code: number, text: string, send: Send = sendText): Promise<void> {
  if (call.wanted.format === 'json') {
    send(call.response, code, text);
    return;
  }
  const { stringify } = await import('yaml');
  send(call.response, code, stringify(JSON.parse(text)), 'application/yaml');
}

/** Sends an object of the call's kind. */
export async function answerObject(
  api: Api,
  call: Call,
  code: number,
  object: () => KubeObject,
  text: string,
): Promise<void> {
  const { wanted, kind } = call;
  if (wanted.as === 'object') return await answerText(call, code, text);
  const value = wanted.as === 'Table' ? tableFor(api, call, object()) : partialMetadata(object(), wanted.metaVersion);
  return await answerText(call, code, JSON.stringify(value));

  function tableFor(server: Api, from: Call, one: KubeObject): JsonObject {
    const metadata = { resourceVersion: textAt(one, 'metadata', 'resourceVersion') };
    return tableOf(kind, [one], metadata, server.now(), wanted.metaVersion, includeObjectOf(from.query));
  }
}
