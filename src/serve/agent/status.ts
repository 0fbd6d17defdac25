/** The agent's answers about itself, over HTTP on its status socket. */

import { chmodSync, unlinkSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';

export interface Answer {
  /** HTTP status code. */
  readonly status: number;
  /** An object is answered as JSON, text as it is. */
  readonly body: string | object;
}

/** Path -> what to answer to GET, given what is asked after `?`; with `POST ` before it to POST. */
export type Answers = Readonly<Record<string, (query: URLSearchParams) => Answer | Promise<Answer>>>;

/**
 * Serves the answers on a unix socket that only root may open. A socket left by an earlier run is replaced.
 * @throws Error of the file system or of `listen`.
 */
export async function serveStatus(path: string, answers: Answers): Promise<Server> {
  removeSocket(path);
  const server = createServer(listener(answers));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

function listener(answers: Answers): RequestListener {
  return async (request, response) => {
    const { status, body } = await answerTo(answers, request.method ?? '', request.url ?? '');
    const text = typeof body === 'string' ? body : `${JSON.stringify(body, null, 2)}\n`;
    const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
    response.writeHead(status, { 'content-type': type }).end(request.method === 'HEAD' ? undefined : text);
  };
}

async function answerTo(answers: Answers, method: string, url: string): Promise<Answer> {
  const [asked = '', query = ''] = url.split('?', 2);
  const path = method === 'POST' ? `POST ${asked}` : asked;
  const known = method === 'GET' || method === 'HEAD' || Object.hasOwn(answers, path);
  if (!known) return { status: 405, body: 'Only GET is answered here.\n' };
  const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
  if (!answer) return { status: 404, body: `There is: ${Object.keys(answers).join(' ')}\n` };
  try {
    return await answer(new URLSearchParams(query));
  } catch (error) {
    return { status: 500, body: `${error instanceof Error ? error.message : String(error)}\n` };
  }
}
