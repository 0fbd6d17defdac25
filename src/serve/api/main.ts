/** The embedded API server: one process, one directory, one store. */
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Api, LIMITS, type Limits } from '#serve/api/api.ts';
import { Access } from '#serve/api/authorization/access.ts';
import { dropCopies } from '#serve/api/backup.ts';
import { bootstrap } from '#serve/api/content/bootstrap.ts';
import { signRequests } from '#serve/api/content/certificate-requests.ts';
import { serveDefinitions } from '#serve/api/content/definitions.ts';
import { endNamespaces } from '#serve/api/content/namespaces.ts';
import { endOldEvents } from '#serve/api/content/old-events.ts';
import { ownEndpoints } from '#serve/api/content/own-endpoints.ts';
import { Kinds } from '#serve/api/kinds.ts';
import { type ListenSpec, openListeners } from '#serve/api/listen.ts';
import { ensureClusterKeys, ensureServerCertificate, readCa } from '#serve/api/pki/cluster.ts';
import { readPkiFile } from '#serve/api/pki/files.ts';
import { writeOwnKubeconfigs } from '#serve/api/pki/own-kubeconfigs.ts';
import { TokenIssuer, TokenVerifier } from '#serve/api/pki/tokens.ts';
import type { HistoryLimit } from '#serve/api/store/history.ts';
import { indexWith } from '#serve/api/store/index.ts';
import { takeRestore } from '#serve/api/store/restore.ts';
import { Store } from '#serve/api/store/store.ts';
import { PolderError } from '#spec/errors.ts';

export interface ApiServerOptions {
  /** Directory of the store (`api.db`) and the keys (`pki/`); made when missing. */
  readonly dataDir: string;
  /** Where to listen: addresses, or listening TCP sockets that the parent process made. At least one. */
  readonly listen: readonly ListenSpec[];
  /** Path of a kubelet's unix socket, with `{node}` for the node's name. */
  readonly kubeletSocketPattern: string;
  /** Name of the cluster in the kubeconfig files; default `polder`. */
  readonly cluster?: string;
  /** More names and addresses for the server's certificate. */
  readonly names?: readonly string[];
  readonly log: Logger;
  /** How much history watches may resume from; default 20 000 events, 16 MiB. */
  readonly history?: HistoryLimit;
  /** What slow clients are granted; default `LIMITS`. */
  readonly limits?: Limits;
  /** Called once when requests are answered, with the addresses. */
  readonly onReady?: (addresses: readonly AddressInfo[]) => void;
}

/**
 * Serves until the signal is aborted; then streams end, and it returns.
 * @throws PolderError port-in-use, usage (it cannot listen there), store-newer, store-in-use, store-unreadable, backup-unusable
 */
export async function runApiServer(options: ApiServerOptions, signal: AbortSignal): Promise<void> {
  makeDirectory(options.dataDir);
  await ensureClusterKeys(options.dataDir);
  await using stack = new AsyncDisposableStack();
  const kinds = new Kinds();
  takeRestore(options.dataDir);
  const store = new Store({
    file: join(options.dataDir, 'api.db'),
    indexOf: indexWith(kinds),
    ...(options.history === undefined ? {} : { history: options.history }),
  });
  stack.defer(() => store.close());
  dropCopies(store.file);
  const access = stack.use(new Access(store));
  const api = makeApi(options, { kinds, store, access, signal });
  stack.use(serveDefinitions(api));
  bootstrap(api);
  stack.use(endNamespaces(api));
  stack.use(endOldEvents(api));
  stack.use(signRequests(api, () => readCa(options.dataDir)));
  const door = { api, ready: () => !signal.aborted };
  const listeners = await openListeners(options.listen, door);
  stack.use(listeners);
  ownEndpoints(api, listeners.addresses);
  const names = [...(options.names ?? []), ...listeners.addresses.map((one) => one.address)];
  const pair = await ensureServerCertificate(
    options.dataDir,
    names.filter((name) => name !== '0.0.0.0' && name !== '::'),
  );
  listeners.setCertificate(pair, readPkiFile(options.dataDir, 'ca.crt'));
  await writeOwnKubeconfigs(options.dataDir, listeners.addresses, options.cluster ?? 'polder');
  options.log.info({ addresses: listeners.addresses, revision: store.revision }, 'API server ready');
  options.onReady?.(listeners.addresses);
  await aborted(signal);
  options.log.info('API server stops');
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PolderError('store-unreadable', { file: join(path, 'api.db'), reason }, { cause: error });
  }
}

function makeApi(options: ApiServerOptions, parts: Pick<Api, 'kinds' | 'store' | 'access' | 'signal'>): Api {
  return {
    ...parts,
    tokens: new TokenIssuer(options.dataDir),
    verifier: new TokenVerifier(options.dataDir),
    log: options.log,
    now: Date.now,
    limits: options.limits ?? LIMITS,
    kubeletSocket: (node) => options.kubeletSocketPattern.replaceAll('{node}', node),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
