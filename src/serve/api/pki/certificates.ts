/** Certificates: the cluster's own CA, and what it signs. ECDSA P-256 throughout. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 24 * 3600 * 1000;
/** A lab's certificates live longer than any lab. */
const LIFETIME = 3650 * DAY;
/** Clocks of machines that read them may be behind. */
const BACKDATE = DAY;

/** PEM texts. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  /** CN: the user's name. */
  readonly commonName: string;
  /** O: the user's groups. */
  readonly organizations: readonly string[];
}

export interface ServerNames {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

type CryptoKeyPair = webcrypto.CryptoKeyPair;

async function keyPem(keys: CryptoKeyPair): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')}\n`;
}

function validity(lifetime = LIFETIME): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - BACKDATE), notAfter: new Date(now + lifetime) };
}

function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return Buffer.from(bytes).toString('hex');
}

/** A self-signed CA. */
export async function makeCa(commonName: string): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    ...validity(),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyPem(keys) };
}

/** A certificate for the server, signed by the CA. */
export async function makeServerCertificate(ca: KeyPair, names: ServerNames): Promise<KeyPair> {
  const alternatives = [
    ...names.dns.map((value) => ({ type: 'dns', value }) as const),
    ...names.ips.map((value) => ({ type: 'ip', value }) as const),
  ];
  return await sign(ca, { commonName: 'kube-apiserver', organizations: [] }, x509.ExtendedKeyUsage.serverAuth, [
    new x509.SubjectAlternativeNameExtension(alternatives),
  ]);
}

/** A certificate by which a user proves who it is. */
export async function makeClientCertificate(ca: KeyPair, subject: Subject): Promise<KeyPair> {
  return await sign(ca, subject, x509.ExtendedKeyUsage.clientAuth, []);
}

async function sign(ca: KeyPair, subject: Subject, usage: string, more: x509.Extension[]): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await signKey(ca, subject, usage, { publicKey: keys.publicKey, more });
  return { certificate, key: await keyPem(keys) };
}

interface Signed {
  readonly publicKey: CryptoKeyPair['publicKey'] | x509.PublicKey;
  /** How long it is valid; default as long as the lab's own. */
  readonly seconds?: number;
  readonly more?: readonly x509.Extension[];
}

/** A certificate for somebody's key, signed by the CA: PEM. */
export async function signKey(
  ca: KeyPair,
  subject: Subject,
  usage: string,
  { publicKey, seconds, more = [] }: Signed,
): Promise<string> {
  const issuer = new x509.X509Certificate(ca.certificate);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(ca.key),
    ALGORITHM,
    false,
    ['sign'],
  );
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    issuer: issuer.subject,
    subject: [...subject.organizations.map((name) => ({ O: [name] })), { CN: [subject.commonName] }],
    ...validity(seconds === undefined ? LIFETIME : seconds * 1000),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...more,
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
