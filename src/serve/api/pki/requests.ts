/** Requests for certificates (PKCS #10, RFC 2986): read, and signed by the cluster's CA. */
import * as x509 from '@peculiar/x509';
import { type KeyPair, signKey } from '#serve/api/pki/certificates.ts';

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly publicKey: x509.PublicKey;
}

/** A request whose signature holds; a text says what is wrong with it. */
export async function readRequest(pem: string): Promise<CertificateRequest | string> {
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    if (!(await request.verify())) return 'the request is not signed by its own key';
    const [commonName = ''] = request.subjectName.getField('CN');
    if (commonName === '') return 'the request names no common name';
    return { commonName, organizations: request.subjectName.getField('O'), publicKey: request.publicKey };
  } catch (error) {
    return `the request cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The certificate, PEM. */
export async function signRequest(ca: KeyPair, request: CertificateRequest, seconds: number): Promise<string> {
  return await signKey(ca, request, x509.ExtendedKeyUsage.clientAuth, { publicKey: request.publicKey, seconds });
}
