/** The keys of a cluster: made once, then used again at each start. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { KeyPair, ServerNames } from '#serve/api/pki/certificates.ts';
import { hasPkiFile, makePkiDir, readPkiFile, writePkiFile } from '#serve/api/pki/files.ts';
import { ensureTokenKey } from '#serve/api/pki/tokens.ts';
import { KUBERNETES_SERVICE_ADDRESS } from '#spec/kinds/core/service-address.ts';

const DNS_NAMES = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];
const LOCAL_ADDRESSES = ['127.0.0.1', '::1', KUBERNETES_SERVICE_ADDRESS];

/** Makes the CA and the token key of a data directory, unless they are there. */
export async function ensureClusterKeys(dataDir: string): Promise<void> {
  makePkiDir(dataDir);
  ensureTokenKey(dataDir);
  if (hasPkiFile(dataDir, 'ca.crt') && hasPkiFile(dataDir, 'ca.key')) return;
  // Loaded only when something is to be signed: it is 10 MB that a running server never needs.
  const { makeCa } = await import('#serve/api/pki/certificates.ts');
  const ca = await makeCa('polder');
  writePkiFile(dataDir, 'ca.key', ca.key);
  writePkiFile(dataDir, 'ca.crt', ca.certificate);
}

/** The server's certificate, made anew when it does not cover all of these names or addresses. */
export async function ensureServerCertificate(dataDir: string, names: readonly string[]): Promise<KeyPair> {
  const wanted = serverNames(names);
  if (hasPkiFile(dataDir, 'apiserver.crt') && hasPkiFile(dataDir, 'apiserver.key')) {
    const pair = { certificate: readPkiFile(dataDir, 'apiserver.crt'), key: readPkiFile(dataDir, 'apiserver.key') };
    if (covers(pair.certificate, readPkiFile(dataDir, 'ca.crt'), wanted)) return pair;
  }
  const { makeServerCertificate } = await import('#serve/api/pki/certificates.ts');
  const pair = await makeServerCertificate(readCa(dataDir), wanted);
  writePkiFile(dataDir, 'apiserver.key', pair.key);
  writePkiFile(dataDir, 'apiserver.crt', pair.certificate);
  return pair;
}

export function readCa(dataDir: string): KeyPair {
  return { certificate: readPkiFile(dataDir, 'ca.crt'), key: readPkiFile(dataDir, 'ca.key') };
}

function serverNames(names: readonly string[]): ServerNames {
  const all = [...new Set([...DNS_NAMES, ...LOCAL_ADDRESSES, ...names])];
  return { dns: all.filter((name) => isIP(name) === 0), ips: all.filter((name) => isIP(name) !== 0) };
}

function covers(certificate: string, ca: string, wanted: ServerNames): boolean {
  const cert = new X509Certificate(certificate);
  if (!cert.verify(new X509Certificate(ca).publicKey)) return false;
  const soon = Date.now() + 30 * 24 * 3600 * 1000;
  return (
    Date.parse(cert.validTo) > soon &&
    wanted.dns.every((name) => cert.checkHost(name) !== undefined) &&
    wanted.ips.every((ip) => cert.checkIP(ip) !== undefined)
  );
}
