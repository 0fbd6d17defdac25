/** `pods/log`: the kubelet's answer, passed on as it comes. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Api, Call } from '#serve/api/api.ts';
import { badRequest, internalError, StatusError } from '#serve/api/http/status-error.ts';
import { kubeletTarget } from '#serve/api/stream/kubelet-path.ts';

/** What is taken of the kubelet's reason, bytes. */
const REFUSAL_MAX = 10_000;

/** @throws StatusError 400, 404, 500 when the kubelet cannot be reached */
export async function streamLog(api: Api, call: Call): Promise<void> {
  const { socket, path } = kubeletTarget(api, call);
  const answer = await ask(socket, path, api.signal);
  if ((answer.statusCode ?? 500) >= 400) throw await refusal(answer);
  const { response } = call;
  response.writeHead(answer.statusCode ?? 500, { 'Content-Type': answer.headers['content-type'] ?? 'text/plain' });
  response.flushHeaders();
  // Either side may go away in the middle of a log that is followed; that is its usual end.
  await pipeline(answer, response).catch(() => answer.destroy());
}

/** The kubelet says in plain text why it gives no log; clients want a `Status` of it. */
async function refusal(answer: IncomingMessage): Promise<StatusError> {
  const text = Buffer.concat(await answer.toArray()).toString('utf8', 0, REFUSAL_MAX);
  if (answer.statusCode === 400) return badRequest(text);
  return answer.statusCode === 404 ? new StatusError(404, 'NotFound', text) : internalError(text);
}

function ask(socketPath: string, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpRequest({ socketPath, path, method: 'GET', signal, agent: false });
  request.on('response', resolve);
  request.on('error', (error) => reject(internalError(`error dialing backend: ${error.message}`)));
  request.end();
  return promise;
}
