import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadInCluster, loadKubeconfig, parseKubeconfig } from '#feed/kubeconfig.ts';
import { PolderError } from '#spec/errors.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const base64 = (text: string) => Buffer.from(text).toString('base64');

const FILE = `apiVersion: v1
kind: Config
current-context: polder
clusters:
- name: lab
  cluster: {server: "https://127.0.0.1:6443/", certificate-authority-data: ${base64(PEM)}}
users:
- name: admin
  user: {client-certificate-data: ${base64(PEM)}, client-key-data: ${base64(PEM)}}
- name: by-token
  user: {token: abc}
contexts:
- name: polder
  context: {cluster: lab, user: admin, namespace: dev}
- name: other
  context: {cluster: lab, user: by-token}
- name: broken
  context: {cluster: nowhere, user: admin}
`;

const refused = (what: RegExp) => (error: unknown) =>
  error instanceof PolderError && error.code === 'file-invalid' && what.test(error.message);

test('parseKubeconfig reads the current context', () => {
  assert.deepEqual(parseKubeconfig(FILE, '/f'), {
    server: 'https://127.0.0.1:6443',
    ca: Buffer.from(PEM),
    cert: Buffer.from(PEM),
    key: Buffer.from(PEM),
    namespace: 'dev',
  });
});

test('parseKubeconfig reads a named context', () => {
  assert.equal(parseKubeconfig(FILE, '/f', 'other').token, 'abc');
});

test('parseKubeconfig names the file and what is missing', () => {
  assert.throws(
    () => parseKubeconfig(FILE, '/f', 'broken'),
    refused(/^\/f: it has no cluster "nowhere" \(it has: lab\)$/),
  );
  assert.throws(
    () => parseKubeconfig(FILE, '/f', 'nope'),
    refused(/no context "nope" \(it has: polder, other, broken\)/),
  );
  assert.throws(() => parseKubeconfig('kind: Config', '/f'), refused(/no current-context/));
  assert.throws(() => parseKubeconfig('a: [', '/f'), refused(/not YAML/));
  assert.throws(() => parseKubeconfig('just text', '/f'), refused(/not a kubeconfig/));
  assert.throws(() => parseKubeconfig(FILE.replace('https://127.0.0.1:6443/', 'nonsense'), '/f'), refused(/not a URL/));
  assert.throws(() => parseKubeconfig(FILE.replace(base64(PEM), '"###"'), '/f'), refused(/is not base64 of PEM/));
  assert.throws(
    () => parseKubeconfig(FILE.replace(/, client-key-data: \S+}/, '}'), '/f'),
    refused(/certificate but no key/),
  );
});

test('loadKubeconfig reads certificates from files beside it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pt-feed-'));
  try {
    const path = join(directory, 'config');
    writeFileSync(join(directory, 'ca.crt'), PEM);
    writeFileSync(path, FILE.replace(/certificate-authority-data: \S+}/, 'certificate-authority: ca.crt}'));
    assert.deepEqual(loadKubeconfig(path).ca, Buffer.from(PEM));
    rmSync(join(directory, 'ca.crt'));
    assert.throws(() => loadKubeconfig(path), refused(/cannot read .*ca\.crt: ENOENT/));
    assert.throws(() => loadKubeconfig(join(directory, 'none')), refused(/cannot read .*none/));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('loadInCluster reads the service account and says when this is no pod', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pt-feed-'));
  try {
    writeFileSync(join(directory, 'ca.crt'), PEM);
    writeFileSync(join(directory, 'token'), 'abc\n');
    const config = loadInCluster({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }, directory);
    assert.deepEqual([config.server, config.token], ['https://[fd00::1]:443', 'abc']);
    assert.throws(() => loadInCluster({}, directory), refused(/this is no pod/));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('parseKubeconfig answers any JSON with a config or a PolderError', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        parseKubeconfig(JSON.stringify(value), '/f');
      } catch (error) {
        assert.ok(error instanceof PolderError, String(error));
      }
    }),
  );
});
