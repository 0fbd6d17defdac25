/** What the handlers of requests work with. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Access } from '#serve/api/authorization/access.ts';
import type { Wanted } from '#serve/api/http/negotiate.ts';
import type { ResourceRequest } from '#serve/api/http/request-info.ts';
import type { Kinds } from '#serve/api/kinds.ts';
import type { TokenIssuer, TokenVerifier, User } from '#serve/api/pki/tokens.ts';
import { readStored } from '#serve/api/storage.ts';
import type { Store } from '#serve/api/store/store.ts';
import { type Kind, resourceOf, type World } from '#spec/kinds/kind.ts';

/** What slow clients are granted. */
export interface Limits {
  /** Milliseconds in which a client must read on. */
  readonly stallMs: number;
  /** Milliseconds in which a whole request must have come, and a tenth of them for its head. */
  readonly requestMs: number;
}

export const LIMITS: Limits = { stallMs: 60_000, requestMs: 120_000 };

export interface Api {
  readonly store: Store;
  readonly kinds: Kinds;
  readonly tokens: TokenIssuer;
  readonly verifier: TokenVerifier;
  readonly access: Access;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Path of the unix socket of a node's kubelet. */
  readonly kubeletSocket: (node: string) => string;
  readonly limits: Limits;
  /** Aborted when the server stops: streams end. */
  readonly signal: AbortSignal;
}

/** One request for a resource, authorised. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly info: ResourceRequest;
  readonly kind: Kind;
  readonly user: User;
  readonly wanted: Wanted;
}

export function keyOf(kind: Kind, namespace: string, name: string) {
  return { resource: resourceOf(kind), namespace: kind.namespaced ? namespace : '', name };
}

/** What the hooks of kinds may ask. */
export function worldOf(api: Api): World {
  return {
    now: api.now(),
    random: Math.random,
    fieldsOf: (resource) =>
      api.store
        .list(resource)
        .values()
        .map((object) => object.fields),
    find: (resource, namespace, name) => {
      const stored = api.store.get({ resource, namespace, name });
      return stored === undefined ? undefined : readStored(stored);
    },
  };
}

/** RFC 3339 without fractions, as Kubernetes writes times. */
export function timeText(now: number): string {
  return new Date(now).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
