/** HTTP(S) to one API server: kept-alive connections for requests, one of its own for each watch. */

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { ApiConfig } from '#feed/api-config.ts';
import { ApiUnreachable } from '#feed/api-error.ts';

export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface TransportOptions {
  /** Longest wait for a byte of an answer, ms. Of a watch only for its head: then it lives on TCP keep-alive and its own end. */
  readonly timeoutMs?: number;
  /** Connections at once for requests; a watch is not counted. */
  readonly maxSockets?: number;
  readonly userAgent?: string;
}

/** Idle time before TCP keep-alive probes, ms: a peer that vanished is noticed some 10 s later (libuv probes each second). */
const KEEP_ALIVE_MS = 10_000;
/** How long a token read from its file is believed, ms; kubelets rewrite them minutes before they end. */
const TOKEN_MS = 30_000;

/** What node:tls (and a WebSocket client) needs to talk to this server. */
export function tlsOptions(
  config: ApiConfig,
): SecureContextOptions & { rejectUnauthorized: boolean; servername?: string } {
  return {
    rejectUnauthorized: config.insecure !== true,
    ...(config.ca === undefined ? {} : { ca: config.ca }),
    ...(config.cert === undefined ? {} : { cert: config.cert }),
    ...(config.key === undefined ? {} : { key: config.key }),
    ...(config.serverName === undefined ? {} : { servername: config.serverName }),
  };
}

/** Opens requests; knows nothing of objects. */
export class Transport implements Disposable {
  readonly #config: ApiConfig;
  readonly #url: URL;
  readonly #requests: http.Agent;
  readonly #watches: http.Agent;
  readonly #timeoutMs: number;
  readonly #userAgent: string;
  #token: { readonly text: string; readonly until: number } | undefined;

  constructor(config: ApiConfig, options: TransportOptions = {}) {
    this.#config = config;
    this.#url = new URL(config.server);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#userAgent = options.userAgent ?? 'polder';
    const shared = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS };
    const make = (limits: http.AgentOptions) =>
      this.#url.protocol === 'http:'
        ? new http.Agent({ ...shared, ...limits })
        : new https.Agent({ ...shared, ...limits, ...tlsOptions(config) });
    this.#requests = make({ maxSockets: options.maxSockets ?? 16, scheduling: 'lifo' });
    this.#watches = make({ maxFreeSockets: 0 });
  }

  /** The whole answer. @throws ApiUnreachable if there is none, or not all of it. */
  async exchange(request: HttpRequest): Promise<{ status: number; body: string }> {
    const response = await this.open(request);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk);
    } catch (error) {
      throw new ApiUnreachable(nameOf(request), error);
    }
    return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
  }

  /** The answer's head, its body still to be read. A dead kept-alive connection is tried once more, unless it might create twice. */
  async open(request: HttpRequest, kind: 'request' | 'stream' = 'request'): Promise<http.IncomingMessage> {
    try {
      return await this.#send(request, kind);
    } catch (error) {
      const stale = error instanceof StaleConnection && request.method !== 'POST';
      if (!stale) throw new ApiUnreachable(nameOf(request), error instanceof StaleConnection ? error.cause : error);
    }
    return this.#send(request, kind).catch((error: unknown) => {
      throw new ApiUnreachable(nameOf(request), error);
    });
  }

  close(): void {
    this.#requests.destroy();
    this.#watches.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Headers that prove who this is, beside a client certificate. */
  authorization(): Record<string, string> {
    const { basic } = this.#config;
    const token = this.#bearer();
    if (token !== undefined) return { authorization: `Bearer ${token}` };
    if (basic === undefined) return {};
    return { authorization: `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}` };
  }

  #bearer(): string | undefined {
    const { token, tokenFile } = this.#config;
    if (tokenFile === undefined) return token;
    if (this.#token !== undefined && this.#token.until > Date.now()) return this.#token.text;
    try {
      this.#token = { text: readFileSync(tokenFile, 'utf8').trim(), until: Date.now() + TOKEN_MS };
    } catch (error) {
      if (token === undefined && this.#token === undefined) throw error;
    }
    return this.#token?.text ?? token;
  }

  #send(request: HttpRequest, kind: 'request' | 'stream'): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const secure = this.#url.protocol !== 'http:';
      const sent = (secure ? https : http).request(this.#options(request, kind), (response) => {
        // A stream may be silent for as long as it likes once its head has come.
        if (kind === 'stream') sent.setTimeout(0);
        resolve(response);
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const stale = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(stale ? new StaleConnection(error) : error);
      });
      sent.setTimeout(this.#timeoutMs, () => sent.destroy(new Error(`no answer within ${this.#timeoutMs} ms`)));
      sent.end(request.body);
    });
  }

  #options(request: HttpRequest, kind: 'request' | 'stream'): http.RequestOptions {
    return {
      protocol: this.#url.protocol,
      // A URL spells an IPv6 host in brackets; a socket wants it without.
      host: this.#url.hostname.replace(/^\[|\]$/g, ''),
      port: this.#url.port || (this.#url.protocol === 'http:' ? 80 : 443),
      method: request.method,
      path: this.#url.pathname.replace(/\/$/, '') + request.path,
      agent: kind === 'stream' ? this.#watches : this.#requests,
      headers: {
        accept: request.accept ?? 'application/json',
        'user-agent': this.#userAgent,
        ...this.authorization(),
        ...(request.body === undefined
          ? {}
          : {
              'content-type': request.contentType ?? 'application/json',
              'content-length': Buffer.byteLength(request.body),
            }),
      },
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    };
  }
}

/** The server had closed a kept-alive connection that was just used again. */
class StaleConnection extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

export function nameOf(request: HttpRequest): string {
  return `${request.method} ${request.path}`;
}
