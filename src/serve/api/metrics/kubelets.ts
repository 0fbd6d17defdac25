/** Asks the kubelets what their nodes and pods use. */
import { request as httpRequest } from 'node:http';
import type { Api } from '#serve/api/api.ts';
import { NODE } from '#spec/kinds/core/node.ts';
import { isObject, type JsonObject } from '#spec/kinds/json.ts';
import { resourceOf } from '#spec/kinds/kind.ts';

/** A kubelet that does not answer in this time is left out, ms. */
const PATIENCE_MS = 2_000;
/** More than a node of the lab can say, bytes. */
const MOST = 4 * 1024 * 1024;

/** `/stats/summary` of every node that answers. */
export async function summaries(api: Api): Promise<JsonObject[]> {
  const nodes = [...api.store.list(resourceOf(NODE))];
  const answers = await Promise.all(nodes.map(({ name }) => ask(api.kubeletSocket(name))));
  return answers.filter((answer) => answer !== undefined);
}

function ask(socketPath: string): Promise<JsonObject | undefined> {
  const { promise, resolve } = Promise.withResolvers<JsonObject | undefined>();
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const request = httpRequest({ socketPath, path: '/stats/summary', method: 'GET', signal, agent: false });
  request.on('error', () => resolve(undefined));
  request.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (text.length > MOST) request.destroy();
    });
    response.on('end', () => resolve(response.statusCode === 200 ? readObject(text) : undefined));
    response.on('close', () => resolve(undefined));
  });
  request.end();
  return promise;
}

function readObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value as JsonObject) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
