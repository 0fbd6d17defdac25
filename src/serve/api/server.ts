/** From a request to its handler: health, who asks, whether they may, and what they ask for. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Api, Call } from '#serve/api/api.ts';
import { authorize, impersonate, wantedOf as permissionOf } from '#serve/api/authorization/guard.ts';
import { BACKUP_PATH, sendBackup } from '#serve/api/backup.ts';
import { discover } from '#serve/api/discovery/handle.ts';
import { VERSION } from '#serve/api/discovery/version.ts';
import { authenticate } from '#serve/api/http/authenticate.ts';
import { wantedOf } from '#serve/api/http/negotiate.ts';
import { resourceRequestOf } from '#serve/api/http/request-info.ts';
import { cutUnlessRead, sendError, sendText } from '#serve/api/http/respond.ts';
import {
  internalError,
  methodNotAllowed,
  noSuchPath,
  StatusError,
  unauthorized,
} from '#serve/api/http/status-error.ts';
import { isLive } from '#serve/api/pki/live.ts';
import type { User } from '#serve/api/pki/tokens.ts';
import { kubeletTarget } from '#serve/api/stream/kubelet-path.ts';
import { joinKubelet, refuse } from '#serve/api/stream/upgrade.ts';
import { handle } from '#serve/api/verbs/handle.ts';
import { PolderError } from '#spec/errors.ts';

const HEALTH = new Set(['/healthz', '/livez', '/readyz']);
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
const UPGRADES = new Set(['exec', 'attach', 'portforward']);
/** Parsing needs a base; only path and query count. */
const BASE = 'https://kubernetes';

/** What the listener needs beside the API itself. */
export interface Door {
  readonly api: Api;
  readonly ready: () => boolean;
}

export function requestListener(door: Door): RequestListener {
  return (request, response) => {
    const failed = (error: unknown): void => {
      sendError(response, asStatusError(door.api, error));
      // A body that was not read would be taken for the next request.
      if (!request.readableEnded) request.resume();
    };
    void serve(door, request, response)
      .catch(failed)
      .then(() => cutUnlessRead(response, door.api.limits.stallMs));
  };
}

async function serve(door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = urlOf(request);
  if (serveOpen(door, url, response)) return;
  const asking = askingUser(door.api, request);
  if (!METHODS.has(request.method ?? '')) throw methodNotAllowed();
  const info = resourceRequestOf(request.method ?? 'GET', url);
  const user = impersonate(door.api, asking, request);
  authorize(door.api, user, permissionOf(request, url.pathname, info));
  if (url.pathname === BACKUP_PATH) {
    await sendBackup(door.api, response);
    return;
  }
  if (info === undefined) {
    discover(door.api.kinds, url.pathname, request, response);
    return;
  }
  await handle(door.api, callOf(door.api, request, response, url, user));
}

/** @throws StatusError 401 without a credential that counts now */
function askingUser(api: Api, request: IncomingMessage): User {
  const user = authenticate(request, api.verifier, api.now());
  if (user === undefined || !isLive(api, user)) throw unauthorized();
  return user;
}

/** Health and version are for everybody, as in Kubernetes. */
function serveOpen(door: Door, url: URL, response: ServerResponse): boolean {
  const path = url.pathname;
  if (HEALTH.has(path)) {
    const ok = path !== '/readyz' || door.ready();
    const text = url.searchParams.has('verbose') ? healthText(path.slice(1), ok) : ok ? 'ok' : 'not ready';
    sendText(response, ok ? 200 : 503, text, 'text/plain; charset=utf-8');
    return true;
  }
  if (path !== '/version' && path !== '/version/') return false;
  sendText(response, 200, JSON.stringify(VERSION));
  return true;
}

/** As `kubectl get --raw='/readyz?verbose'` shows it, a line a check. */
function healthText(name: string, ok: boolean): string {
  return `${ok ? '[+]' : '[-]'}ping ${ok ? 'ok' : 'failed'}\n${name} check ${ok ? 'passed' : 'failed'}\n`;
}

function urlOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', BASE);
  if (url === null) throw noSuchPath();
  return url;
}

/** @throws StatusError 404 when the kind is not served, 406 */
function callOf(api: Api, request: IncomingMessage, response: ServerResponse, url: URL, user: User): Call {
  const info = resourceRequestOf(request.method ?? 'GET', url);
  if (info === undefined) throw noSuchPath();
  const kind = api.kinds.find(info, info.plural);
  if (kind === undefined || (info.namespace !== '' && !kind.namespaced)) throw noSuchPath();
  if (info.rest.length > 0) throw noSuchPath();
  const wanted = info.subresource === 'log' ? wantedOf(undefined) : wantedOf(request.headers.accept);
  return { request, response, query: url.searchParams, info, kind, user, wanted };
}

function asStatusError(api: Api, error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  api.log.error({ err: error }, 'a request failed');
  if (error instanceof PolderError) return internalError(`${error.message} ${error.row.todo}`);
  return internalError(error instanceof Error ? error.message : String(error));
}

/** Requests for an upgraded connection: exec, attach, port-forward. */
export function upgradeListener(door: Door): (request: IncomingMessage, client: Duplex, head: Buffer) => void {
  return (request, client, head) => {
    client.on('error', () => client.destroy());
    try {
      joinKubelet(request, client, head, upgradeTarget(door, request));
    } catch (error) {
      refuse(client, asStatusError(door.api, error));
    }
  };
}

function upgradeTarget(door: Door, request: IncomingMessage) {
  const url = urlOf(request);
  const asking = askingUser(door.api, request);
  const info = resourceRequestOf(request.method ?? 'GET', url);
  authorize(door.api, impersonate(door.api, asking, request), permissionOf(request, url.pathname, info));
  const kind = info === undefined ? undefined : door.api.kinds.find(info, info.plural);
  if (info === undefined || kind === undefined || !UPGRADES.has(info.subresource)) throw noSuchPath();
  if (kind.subresources?.some((one) => one.name === info.subresource) !== true) throw noSuchPath();
  return kubeletTarget(door.api, { info, kind, query: url.searchParams });
}
