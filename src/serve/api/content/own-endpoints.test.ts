import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { type Api, LIMITS } from '#serve/api/api.ts';
import { Access } from '#serve/api/authorization/access.ts';
import { bootstrap } from '#serve/api/content/bootstrap.ts';
import { ownEndpoints } from '#serve/api/content/own-endpoints.ts';
import { Kinds } from '#serve/api/kinds.ts';
import { TokenIssuer, TokenVerifier } from '#serve/api/pki/tokens.ts';
import { indexWith } from '#serve/api/store/index.ts';
import { Store } from '#serve/api/store/store.ts';
import { startServer } from '#serve/api/testing/server.ts';

test('the Service kubernetes leads to where the server listens, also after it moved; never to the loopback', async () => {
  await using server = await startServer();
  const kinds = new Kinds();
  const store = new Store({ file: `${server.dataDir}/other.db`, indexOf: indexWith(kinds) });
  const api: Api = {
    store,
    kinds,
    tokens: new TokenIssuer(server.dataDir),
    verifier: new TokenVerifier(server.dataDir),
    access: new Access(store),
    log: pino({ level: 'silent' }),
    now: () => 0,
    kubeletSocket: (node) => node,
    limits: LIMITS,
    signal: new AbortController().signal,
  };
  bootstrap(api);
  const slice = () =>
    store.get({ resource: 'endpointslices.discovery.k8s.io', namespace: 'default', name: 'kubernetes' })?.text ?? '';
  const at = (address: string) => ({ address, family: 'IPv4', port: 6443 });
  ownEndpoints(api, [at('127.0.0.1')]);
  assert.equal(slice(), '');
  ownEndpoints(api, [at('127.0.0.1'), at('192.168.1.1')]);
  assert.match(slice(), /"addresses":\["192\.168\.1\.1"\]/);
  ownEndpoints(api, [at('192.168.2.1')]);
  assert.match(slice(), /"addresses":\["192\.168\.2\.1"\]/);
  store.close();
});
