/** A real API server of a test: own directory, own port, and a client that speaks to it over TLS. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type ApiServerOptions, runApiServer } from '#serve/api/main.ts';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { TokenIssuer } from '#serve/api/pki/tokens.ts';
import { type Json, type JsonObject, objectsAt, textAt } from '#spec/kinds/json.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** The body as JSON; an empty object if it is none. */
  readonly body: JsonObject;
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Undefined: the administrator's token; '': none. */
  readonly token?: string;
  /** Sent as it is. */
  readonly raw?: string | Uint8Array;
}

const ADMIN = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

/** What tests ask of a server, wherever it runs. */
export class TestClient implements Disposable {
  readonly url: string;
  readonly #agent: Agent;
  readonly #token: string;

  constructor(dataDir: string, port: number) {
    this.url = `https://127.0.0.1:${port}`;
    this.#agent = new Agent({ keepAlive: true, ca: readPkiFile(dataDir, 'ca.crt') });
    this.#token = new TokenIssuer(dataDir).issue(ADMIN, Date.now());
  }

  /** The headers that say who this is. */
  get credentials(): Readonly<Record<string, string>> {
    return { Authorization: `Bearer ${this.#token}` };
  }

  /** The answer as it begins; the caller reads it. A request that is not whole ends before its body. */
  open(method: string, path: string, body?: Json, options: AskOptions = {}, whole = true): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const token = options.token ?? this.#token;
    const payload = options.raw ?? (body === undefined ? '' : JSON.stringify(body));
    const headers = {
      // Node frames the body of a DELETE only when its length is given.
      ...(options.headers?.['Transfer-Encoding'] ? {} : { 'Content-Length': String(Buffer.byteLength(payload)) }),
      'Content-Type': 'application/json',
      ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
      ...options.headers,
    };
    const call = request(`${this.url}${path}`, { method, agent: this.#agent, headers });
    call.on('response', resolve).on('error', reject);
    if (whole) call.end(payload);
    else call.flushHeaders();
    return promise;
  }

  async ask(method: string, path: string, body?: Json, options: AskOptions = {}): Promise<Answer> {
    const answer = await this.open(method, path, body, options);
    const text = Buffer.concat(await answer.toArray()).toString('utf8');
    return { status: answer.statusCode ?? 0, headers: answer.headers, text, body: readJson(text) };
  }

  /** Events of a watch until `enough` says so; then the watch is left. */
  async watch(
    path: string,
    enough: (events: readonly JsonObject[]) => boolean,
    options: AskOptions = {},
  ): Promise<JsonObject[]> {
    const answer = await this.open('GET', path, undefined, options);
    const events: JsonObject[] = [];
    let rest = '';
    for await (const chunk of answer) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      events.push(...lines.filter(Boolean).map(readJson));
      if (enough(events)) break;
    }
    answer.destroy();
    return events;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function readJson(text: string): JsonObject {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export interface TestServer extends AsyncDisposable {
  readonly dataDir: string;
  readonly port: number;
  readonly client: TestClient;
  /** Stops it, keeping its directory, and starts it again there. */
  restart(): Promise<TestServer>;
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'polder-api-'));
}

/** Starts a server in this process. */
export async function startServer(
  dataDir = temporaryDirectory(),
  keep = false,
  { history, limits }: Pick<ApiServerOptions, 'history' | 'limits'> = {},
): Promise<TestServer> {
  const stop = new AbortController();
  const { promise: ready, resolve, reject } = Promise.withResolvers<number>();
  const done = runApiServer(
    {
      dataDir,
      listen: [{ host: '127.0.0.1', port: 0 }],
      kubeletSocketPattern: join(dataDir, '{node}.sock'),
      log: pino({ level: 'silent' }),
      ...(history === undefined ? {} : { history }),
      ...(limits === undefined ? {} : { limits }),
      onReady: (addresses) => resolve(addresses[0]?.port ?? 0),
    },
    stop.signal,
  );
  done.catch(reject);
  const port = await ready;
  const client = new TestClient(dataDir, port);
  const end = async (): Promise<void> => {
    client[Symbol.dispose]();
    stop.abort();
    await done;
  };
  return {
    dataDir,
    port,
    client,
    restart: async () => {
      await end();
      return await startServer(dataDir);
    },
    [Symbol.asyncDispose]: async () => {
      await end();
      if (!keep) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export function pod(name: string, more: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...(typeof more.metadata === 'object' ? more.metadata : {}) },
    spec: { containers: [{ name: 'c', image: 'busybox' }], ...(typeof more.spec === 'object' ? more.spec : {}) },
  };
}

export function configMap(name: string, data: JsonObject, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

export const PODS = '/api/v1/namespaces/default/pods';
export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
export const NODES = '/api/v1/nodes';
export const NAMESPACES = '/api/v1/namespaces';

/** Header of a client that prints tables. */
export const TABLE = { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

/** Names of the items of a list. */
export function names(body: JsonObject): string[] {
  return objectsAt(body, 'items').map((item) => textAt(item, 'metadata', 'name'));
}
