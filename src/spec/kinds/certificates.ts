/** The kind CertificateSigningRequest: somebody asks for a certificate, somebody approves, a signer makes it. */
import { humanDuration } from '#spec/kinds/age.ts';
import { AGE, column, NAME } from '#spec/kinds/columns/common.ts';
import { copyJson, numberAt, objectAt, objectsAt, textAt, textsAt } from '#spec/kinds/json.ts';
import {
  duplicate,
  type FieldError,
  invalid,
  type Kind,
  type KubeObject,
  required,
  unsupported,
} from '#spec/kinds/kind.ts';

/** Clients of this API (Kubernetes "Certificate Signing Requests" §Kubernetes signers). */
export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
/** Seconds. */
const SHORTEST = 600;
const DOMAIN_PATH = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\.[a-z0-9]([-a-z0-9]*[a-z0-9])?\/[^/\s]+(\/[^/\s]+)*$/;
const PEM = /^-----BEGIN CERTIFICATE REQUEST-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE REQUEST-----\s*$/;
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];

export const CERTIFICATE_SIGNING_REQUEST: Kind = {
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  singular: 'certificatesigningrequest',
  shortNames: ['csr'],
  namespaced: false,
  type: 'V1CertificateSigningRequest',
  names: 'subdomain',
  status: true,
  subresources: [{ name: 'approval', verbs: ['get', 'patch', 'update'], kind: 'CertificateSigningRequest' }],
  columns: [
    NAME,
    AGE,
    column('SignerName', 'Who is asked for it.', (one) => textAt(one, 'spec', 'signerName')),
    column('Requestor', 'Who asks.', (one) => textAt(one, 'spec', 'username')),
    column('RequestedDuration', 'For how long.', (one) => {
      const seconds = numberAt(one, 'spec', 'expirationSeconds');
      return seconds === undefined ? '<none>' : humanDuration(seconds);
    }),
    column('Condition', 'What has become of it.', conditionCell),
  ],
  fields: { 'spec.signerName': (one) => textAt(one, 'spec', 'signerName') },
  author: (one, user) => {
    one.spec = { ...objectAt(one, 'spec'), username: user.name, groups: [...user.groups] };
  },
  prepareCreate: (one) => {
    one.status = {};
    return [];
  },
  prepareUpdate: (one, old) => {
    one.spec = copyJson(objectAt(old, 'spec'));
    return [];
  },
  validate,
};

function conditionCell(one: KubeObject): string {
  const is = (type: string) => objectsAt(one, 'status', 'conditions').some((condition) => condition.type === type);
  const words = [
    is('Denied') ? 'Denied' : is('Approved') ? 'Approved' : 'Pending',
    ...(is('Failed') ? ['Failed'] : []),
    ...(textAt(one, 'status', 'certificate') === '' ? [] : ['Issued']),
  ];
  return words.join(',');
}

function validate(one: KubeObject): FieldError[] {
  const signer = textAt(one, 'spec', 'signerName');
  const errors: FieldError[] = [];
  if (!PEM.test(plain(textAt(one, 'spec', 'request'))))
    errors.push(invalid('spec.request', textAt(one, 'spec', 'request'), 'PEM block type must be CERTIFICATE REQUEST'));
  if (signer === '') errors.push(required('spec.signerName'));
  else if (!DOMAIN_PATH.test(signer))
    errors.push(
      invalid(
        'spec.signerName',
        signer,
        'must be a fully qualified domain and path of the form "example.com/signer-name"',
      ),
    );
  const seconds = numberAt(one, 'spec', 'expirationSeconds');
  if (seconds !== undefined && seconds < SHORTEST)
    errors.push(
      invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)'),
    );
  return [...errors, ...validateUsages(one)];
}

function plain(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return '';
  }
}

function validateUsages(one: KubeObject): FieldError[] {
  const usages = textsAt(one, 'spec', 'usages');
  if (usages.length === 0) return [required('spec.usages')];
  return usages.flatMap((usage, index) => {
    const field = `spec.usages[${index}]`;
    if (!USAGES.includes(usage)) return [unsupported(field, usage, USAGES)];
    return usages.indexOf(usage) < index ? [duplicate(field, usage)] : [];
  });
}
